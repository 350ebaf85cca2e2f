"""How real APIs end their lists, and what a sync and a check make of it: a server of its own, over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import trustme

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.probe import probe
from ideas_pipeline.probe.step import Step
from ideas_pipeline.sync.findings import Expectations, stream_findings
from ideas_pipeline.sync.run import RunResult
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync_with
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, serving
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

Lists = Callable[[str, Mapping[str, str]], Answer]


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        yield warehouse


def people(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"Person {number}"} for number in numbers]


@contextmanager
def api(lists: Lists, contract: Contract, folder: Path, tls: trustme.CA | None = None) -> Iterator[IdeasApi]:
    """A client of a server that logs everybody in, and answers requests for lists with ``lists(path, query)``."""

    def answer(received: Received) -> Answer:
        path = received.path.removeprefix("/v2/")
        if path == "auth/code":
            return Answer(body={"auth_code": "code"})
        if received.method == "POST":
            return Answer(body={"access_token": "a", "refresh_token": "r", "expires_in": 3600})
        return lists(path, received.query)

    with serving(answer, tls) as server:
        limits = contract.limits.model_copy(update={"attempts": 2, "deadline": 20.0})
        patient = contract.model_copy(update={"limits": limits})
        yield IdeasApi.connect(
            patient, server.base_url, Credentials("id", "secret"), FileHome(folder / "tokens.json", folder)
        )


def synced(lists: Lists, warehouse: Warehouse, folder: Path, paging: Mapping[str, Any] | None = None) -> RunResult:
    with api(lists, users_paged(paging or {}), folder) as client:
        return sync_with(client, warehouse, streams=["users"])


def checked(lists: Lists, folder: Path, paging: Mapping[str, Any]) -> Step:
    with api(lists, users_paged(paging), folder) as client:
        return next(step for step in probe.check(client.contract, client.with_contract) if step.name == "users")


def users_paged(paging: Mapping[str, Any]) -> Contract:
    default = {"style": "page", "size_parameter": "per_page", "size": 3}
    return contract_with({"streams": {"users": {"paging": {"!": default | paging}}}})


def live(warehouse: Warehouse) -> set[int]:
    return {int(row.id) for row in users(warehouse) if row._deleted_at is None}


def users(warehouse: Warehouse) -> Sequence[sa.Row[Any]]:
    with warehouse.reading() as tx:
        return tx.execute(sa.select(TABLES["users"])).all()


def numbered(query: Mapping[str, str], held: list[int], size: int = 3) -> list[int]:
    size = int(query.get("per_page", size))
    start = int(query["offset"]) if "offset" in query else (int(query.get("page", 1)) - 1) * size
    return held[start : start + size]


@pytest.mark.parametrize(
    ("status", "paging"),
    [
        *((status, paging) for status in (404, 400, 410, 416, 422) for paging in ({}, {"style": "offset"})),
        (403, {"beyond": 403}),
        (500, {"beyond": [403, 500]}),
    ],
    ids=str,
)
def test_a_page_beyond_the_end_may_be_refused(
    status: int, paging: dict[str, Any], sqlite: Warehouse, tmp_path: Path
) -> None:
    last = 7
    without = {name: value for name, value in paging.items() if name != "beyond"}

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        page = numbered(query, list(range(1, last + 1)))
        return Answer(body={"data": people(*page)}) if page else Answer(status, body={"detail": "Invalid page."})

    for _ in "first night", "second night":
        result = synced(lists, sqlite, tmp_path, paging)
        assert (result.verdict, stream(result, "users").reason) == ("complete", None)
        assert live(sqlite) == set(range(1, last + 1))
    if without != paging:
        result = synced(lists, sqlite, tmp_path, without)
        sentence = f"after 7 records. If the list ends there, add beyond: {status} to its paging"
        assert (result.verdict, sentence in str(stream(result, "users").reason)) == ("incomplete", True)


@pytest.mark.parametrize("status", [404, 400, 422])
def test_a_list_whose_first_page_is_refused_is_not_a_list(status: int, sqlite: Warehouse, tmp_path: Path) -> None:
    result = synced(lambda path, query: Answer(status), sqlite, tmp_path)
    assert result.verdict == "failed"


@pytest.mark.parametrize("status", [403, 500])
def test_a_check_proposes_how_a_page_beyond_the_end_is_refused(status: int, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        page = numbered(query, [1, 2])
        return Answer(body={"data": people(*page)}) if page else Answer(status, body={"detail": "No."})

    step = checked(lists, tmp_path, {})
    assert f"the page after the last one with HTTP {status}" in " ".join(step.differs)
    assert step.fix == {"streams": {"users": {"paging": {"beyond": [status]}}}}


def test_a_check_does_not_call_the_path_wrong_because_of_a_page_beyond_the_end(tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        page = numbered(query, list(range(1, 6))) if path == "users" else []
        return Answer(body={"data": people(*page)}) if page else Answer(404, body={"detail": "Invalid page."})

    for paging in ({}, {"size": 100}):
        step = checked(lists, tmp_path, paging)
        assert step.error is None
        assert not [sentence for sentence in step.differs if "page" in sentence]


@pytest.mark.parametrize("paging", [{}, {"style": "offset"}], ids=["page", "offset"])
def test_a_total_that_counts_the_records_of_the_page_ends_no_list(
    paging: dict[str, Any], sqlite: Warehouse, tmp_path: Path
) -> None:
    held = list(range(1, 9))

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        page = people(*numbered({**query, "per_page": "3"}, held))
        return Answer(body={"data": page, "total": len(page)})

    own_size = {"total": {"body": "total"}, "size": 100} | paging
    for _ in "first night", "second night":
        assert synced(lists, sqlite, tmp_path, own_size).verdict == "complete"
        assert live(sqlite) == set(held)
        held.pop(1)


@pytest.mark.parametrize("paging", [{}, {"style": "cursor", "cursor": "next"}], ids=["page", "cursor"])
def test_pages_whose_records_have_no_id_do_not_go_on_for_ever(
    paging: dict[str, Any], sqlite: Warehouse, tmp_path: Path
) -> None:
    asked: list[str] = []

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        asked.append(path)
        return Answer(body={"data": [{"name": "a notice"}], "next": str(len(asked))})

    result = synced(lists, sqlite, tmp_path, paging)

    assert result.verdict != "complete"
    assert len(asked) < 20


@pytest.mark.parametrize("end", [None, "", False, 0, "0", -1, "-1", "null", "None", "undefined"])
def test_the_last_cursor_can_say_in_many_ways_that_it_is_the_last(end: Any, sqlite: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        start = int(query.get("cursor", 0))
        return Answer(body={"data": people(*range(start + 1, start + 4)), "next": start + 3 if start < 3 else end})

    result = synced(lists, sqlite, tmp_path, {"style": "cursor", "cursor": "next"})

    assert (result.verdict, live(sqlite)) == ("complete", set(range(1, 7)))


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("links", lambda link: {"links": [{"rel": "self", "href": "?page=1"}, *([link] if link else [])]}),
        ("_links.next", lambda link: {"_links": {"next": link} if link else {}}),
    ],
    ids=["list", "HAL"],
)
def test_the_next_link_can_be_a_map(path: str, links: Any, sqlite: Warehouse, tmp_path: Path) -> None:
    def lists(_: str, query: Mapping[str, str]) -> Answer:
        page = int(query.get("page", 1))
        link = {"rel": "next", "href": f"?page={page + 1}"} if page < 3 else None
        return Answer(body={"data": people(*numbered(query | {"per_page": "3"}, list(range(1, 9)))), **links(link)})

    result = synced(lists, sqlite, tmp_path, {"style": "next_link", "next": path})

    assert (result.verdict, live(sqlite)) == ("complete", set(range(1, 9)))


def test_an_empty_page_in_the_middle_hides_nobody_after_it(warehouse: Warehouse, tmp_path: Path) -> None:
    hidden: set[int] = set()

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return Answer(body={"data": people(*(n for n in numbered(query, list(range(1, 10))) if n not in hidden))})

    assert synced(lists, warehouse, tmp_path).verdict == "complete"
    hidden |= {4, 5, 6}
    synced(lists, warehouse, tmp_path)
    assert {1, 2, 3, 7, 8, 9} <= live(warehouse)
    hidden.clear()
    assert synced(lists, warehouse, tmp_path).verdict == "complete"
    assert live(warehouse) == set(range(1, 10))
    assert {row.display_name for row in users(warehouse)} == {f"Person {n}" for n in range(1, 10)}


@pytest.mark.parametrize("total", ["body", "header"])
@pytest.mark.parametrize("paging", [{}, {"style": "offset"}], ids=["page", "offset"])
def test_a_total_that_stops_counting_is_recognized_and_check_says_so(
    paging: dict[str, Any], total: str, sqlite: Warehouse, tmp_path: Path
) -> None:
    """As with search indexes, which count to 10,000 and serve what comes after it."""
    paging = paging | {"size": 5, "total": {"body": ["total"]} if total == "body" else {"header": "X-Total"}}

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        page = people(*numbered(query, list(range(1, 48))))
        return Answer(body={"data": page, "total": 20}, headers={"X-Total": "20"})

    result = synced(lists, sqlite, tmp_path, paging)
    assert (result.verdict, len(live(sqlite))) == ("complete", 47)
    expected = Expectations(timezone="UTC", verify_days=14, stale_hours=48)
    with sqlite.reading() as tx:
        found = stream_findings(tx, users_paged(paging), "users", expected, datetime.now(UTC))
    (finding,) = (f for f in found if f.code == "completeness")
    assert "the API's total, 20, is a cap or an estimate" in finding.what
    assert (finding.severity, "total: null" in finding.do) == ("warning", True)
    step = checked(lists, tmp_path, paging)
    assert any("20, is a cap or an estimate" in sentence for sentence in step.differs)
    assert step.fix["streams"]["users"]["paging"]["total"] is None


@pytest.mark.parametrize("claimed", ["about 20", "20+", True, -1, 1.5, {"value": 20}])
def test_a_total_that_is_not_a_count_proves_and_ends_nothing(claimed: Any, sqlite: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return Answer(body={"data": people(*numbered(query, list(range(1, 8)))), "total": claimed})

    paging = {"total": {"body": ["total"]}}
    assert synced(lists, sqlite, tmp_path, paging).verdict == "complete"
    assert live(sqlite) == set(range(1, 8))
    assert any("is not a number" in sentence for sentence in checked(lists, tmp_path, paging).differs)


def test_fewer_records_than_the_total_are_never_complete(sqlite: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return Answer(body={"data": people(*numbered(query, list(range(1, 8)))), "total": 9})

    result = synced(lists, sqlite, tmp_path, {"total": {"body": ["total"]}})
    assert (result.verdict, len(live(sqlite))) == ("incomplete", 7)
    with sqlite.reading() as tx:
        found = stream_findings(tx, users_paged({}), "users", Expectations("UTC", 14, 36), datetime.now(UTC))
    (finding,) = (f for f in found if f.code == "completeness")
    assert "{users: {paging: {total: null}}}" in finding.do


@pytest.mark.parametrize("last", [2, 7], ids=["one page", "three pages"])
def test_a_check_finds_that_pages_without_a_total_are_numbered_from_0(last: int, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        from_1 = {**query, "page": str(int(query.get("page", 0)) + 1)}
        return Answer(body={"data": people(*numbered(from_1, list(range(1, last + 1))))})

    step = checked(lists, tmp_path, {})
    assert "pages are numbered from 0" in step.differs[0]
    assert step.fix["streams"]["users"]["paging"] == {"first": 0}


@pytest.mark.parametrize("page_0", ["is page 1", "is empty", "is refused", "fails"])
def test_a_check_takes_no_page_0_for_the_first_one_that_is_not(page_0: str, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        if query.get("page") == "0" and page_0 in ("is refused", "fails"):
            return Answer(400 if page_0 == "is refused" else 500)
        first = {**query, "page": "1"} if query.get("page") == "0" and page_0 == "is page 1" else query
        return Answer(body={"data": people(*numbered(first, list(range(1, 8)))) if first.get("page") != "0" else []})

    assert not [sentence for sentence in checked(lists, tmp_path, {}).differs if "numbered" in sentence]


def test_records_beyond_the_limit_of_a_page_come_though_pages_are_counted_by_the_size_asked_for(
    sqlite: Warehouse, tmp_path: Path
) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return Answer(body={"data": people(*numbered(query, list(range(1, 24)))[:10])})

    assert synced(lists, sqlite, tmp_path, {"size": 100}).verdict == "complete"
    assert live(sqlite) == set(range(1, 24))


PARTIAL = {
    "a flag": (Answer(body={"incomplete_results": True}), "(incomplete_results)"),
    "206": (Answer(206), "(HTTP 206)"),
    "an error": (Answer(body={"errors": [{"message": "shard 2 timed out"}]}), "an error beside its records"),
}


@pytest.mark.parametrize(("answer", "says"), PARTIAL.values(), ids=PARTIAL)
@pytest.mark.parametrize("paging", [{"style": "cursor", "cursor": "next"}, {}], ids=["one response", "pages"])
def test_nobody_who_is_missing_from_a_partial_response_is_deleted(
    paging: dict[str, Any], answer: Answer, says: str, sqlite: Warehouse, tmp_path: Path
) -> None:
    listed, cut = range(1, 7), list[int]()

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        asked = numbered(query, list(listed)) if "page" in query else list(listed)
        body = {"data": people(*(n for n in asked if n not in cut))}
        return replace(answer, body=answer.body | body) if cut and asked else Answer(body=body)

    assert synced(lists, sqlite, tmp_path, paging).verdict == "complete"
    listed, cut = range(1, 8), [6]
    result = synced(lists, sqlite, tmp_path, paging)
    assert (result.verdict, live(sqlite)) == ("incomplete", set(range(1, 8)))
    assert says in str(stream(result, "users").reason)


NONE = {
    "204": Answer(204, body=b""),
    "the key is left out and the total is 0": Answer(body={"total": 0}),
    "null": Answer(body={"data": None}),
    "an error code of 0": Answer(body={"errcode": 0, "errmsg": "ok", "data": []}),
    "an error with a code of 0": Answer(body={"error": {"code": 0, "message": "ok"}, "data": []}),
    "errors with codes of 0": Answer(body={"errors": [{"code": 0, "message": ""}], "data": []}),
    "an error code of zeros": Answer(body={"errorCode": "00000", "errorMessage": "Success", "data": []}),
}


@pytest.mark.parametrize("none", NONE.values(), ids=NONE)
def test_no_records_have_several_spellings(none: Answer, sqlite: Warehouse, tmp_path: Path) -> None:
    result = synced(lambda path, query: none, sqlite, tmp_path, {"total": {"body": ["total"]}})
    assert (result.verdict, live(sqlite)) == ("complete", set())


NOT_NONE = {
    "nothing speaks for it": Answer(body={}),
    "another key": Answer(body={"others": []}),
    "an error": Answer(body={"error": "broken", "total": 0}),
    "a total": Answer(body={"total": 3}),
}


@pytest.mark.parametrize("answer", NOT_NONE.values(), ids=NOT_NONE)
def test_what_does_not_say_none_is_not_an_empty_list(answer: Answer, sqlite: Warehouse, tmp_path: Path) -> None:
    result = synced(lambda path, query: answer, sqlite, tmp_path, {"total": {"body": ["total"]}})
    assert result.verdict == "failed"


@pytest.mark.parametrize("in_header", [True, False], ids=["Link", "body"])
def test_links_with_http_behind_tls_are_followed_with_https(
    in_header: bool, sqlite: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    paging: dict[str, Any] = {"style": "next_link"} | ({} if in_header else {"next": ["next"]})

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        start = int(query.get("from", 0))
        link = f"http://LOCALHOST:{port}/v2/users?from={start + 3}" if start < 6 else None
        header = {"Link": f'<{link}>; title="more, please"; rel="next last"'} if link and in_header else {}
        return Answer(body={"data": people(*range(start + 1, min(start + 4, 8))), "next": link}, headers=header)

    with api(lists, users_paged(paging), tmp_path, authority) as client:
        port = client.base_url.split(":")[2].split("/")[0]
        assert sync_with(client, sqlite, streams=["users"]).verdict == "complete"
    assert live(sqlite) == set(range(1, 8))


def test_a_link_to_another_host_is_not_followed_and_its_page_is_loaded(sqlite: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return Answer(body={"data": people(1, 2, 3), "next": "https://elsewhere.example/v2/users?page=2"})

    result = synced(lists, sqlite, tmp_path, {"style": "next_link", "next": ["next"]})
    assert (result.verdict, live(sqlite)) == ("incomplete", {1, 2, 3})
    assert "leads to another host, elsewhere.example" in str(stream(result, "users").reason)
