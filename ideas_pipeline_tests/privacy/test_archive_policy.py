"""The archive holds what the policy lets in: in links, cursors, headers and error messages, too."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.archive.writer import Writer
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.paging import NoPaging, OffsetPaging, PagePaging
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.envelopes import unwrapped
from ideas_pipeline.privacy.page_places import Places
from ideas_pipeline.privacy.policy_pages import PolicyPages
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.privacy.unmapped import Cleaner
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, RunResult
from ideas_pipeline.sync.source import RunArchive
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.text import clean_text
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import archived, page
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync_with
from ideas_pipeline_tests.end_to_end.test_canary import dumped
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer, serving
from ideas_pipeline_tests.privacy.people import KEY
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held

KEEP, HASH, DROP = (Policy(choice, choice, choice, choice) for choice in ("keep", "hash", "drop"))
POLICIES = {"keep": KEEP, "hash": HASH, "drop": DROP, "default": Policy()}
NAME, MAIL, TEXT = "Quirina Zoltanfy", "quirina@people.example", "I dreamt of blue trees"
ENCODED = base64.urlsafe_b64encode(MAIL.encode()).decode().rstrip("=")
NEEDLES = [NAME, quote(NAME), MAIL, quote(MAIL), ENCODED, TEXT]
# An address, as it is and encoded.
ADDRESSES = [MAIL, quote(MAIL), ENCODED]
USERS = [{"id": f"u{n}", "name": f"Person {n}", "created_at": "2026-01-05T10:00:00Z"} for n in range(5)]

STYLES: dict[str, Any] = {
    "next_link": {"style": "next_link", "next": ["links.next"]},
    "header": {"style": "next_link"},
    "cursor": {"style": "cursor", "cursor": ["meta.next"]},
}


def contract_of(style: str) -> Contract:
    return contract_with({"streams": {"users": {"paging": {"!": STYLES[style]}}}, "not_stored": []})


def api(style: str) -> Callable[[Received], Answer]:
    """Lists of users whose next pages are named by something personal; three challenges whose ideas cannot be read."""

    def answer(request: Received) -> Answer:
        path = request.path.removeprefix("/v2/")
        if request.method == "POST":
            return Answer(body={"auth_code": "c", "access_token": "a", "refresh_token": "r", "expires_in": 3600})
        if path == "challenges":
            return Answer(body={"data": [{"id": n, "title": "T"} for n in (1, 2, 3)], "total": 3, "q": [TEXT, NAME]})
        error = {"error": {"message": f"{NAME} ({MAIL}) may not read: {TEXT}"}}
        if path == "challenges/1/ideas":
            return Answer(status=422, body=error, headers={"X-Who": MAIL})
        if path == "challenges/2/ideas":
            return Answer(status=200, body=error)
        if path == "challenges/3/ideas":
            return Answer(status=200, body=f"<html>{NAME} {MAIL} {TEXT}</html>", headers={"Content-Type": "text/html"})
        if path != "users":
            return Answer(body={"data": [], "total": 0})
        after = unquote(request.query.get("after", request.query.get("cursor", "0")))
        start = int(after.rpartition("-")[2])
        place = f"{MAIL}-{NAME}-{ENCODED}-{start + 2}" if start + 2 < len(USERS) else ""
        body: dict[str, Any] = {"data": USERS[start : start + 2], "filter": {"query": TEXT, "tags": [TEXT]}}
        link, headers = f"users?after={quote(place)}" if place else None, {}
        match style:
            case "next_link":
                body["links"] = {"next": link, "self": f"/v2/users?after={quote(after)}", "token": ENCODED}
            case "header":
                headers = {"Link": f'<{link}>; rel="next"'} if link else {}
            case _:
                body["meta"] = {"next": place or None}
        return Answer(body=body, headers=headers)

    return answer


def night(
    server: ScriptedServer, contract: Contract, warehouse: Warehouse, folder: Path, policy: Policy
) -> tuple[RunResult, Privacy]:
    privacy = Privacy(contract, COMMUNITY, policy, folder=folder, key="a key for tests alone", archive=folder / "pages")
    client = IdeasApi.connect(
        contract, server.base_url, Credentials("me", "s3cret"), FileHome(folder / "tokens.json", folder)
    )
    with Writer(folder / "pages", "1", privacy.mark) as writer:
        archive = RunArchive(writer, contract, privacy)
        return sync_with(client, warehouse, mode=Full(), run_id="1", privacy=privacy, archive=archive), privacy


def pages(folder: Path) -> bytes:
    """All that the archive holds: every column of every page, and the files as they are."""
    return b"".join(repr(one).encode() + one.body for one in archived(folder / "pages")) + b"".join(
        file.read_bytes() for file in folder.rglob("*") if file.is_file()
    )


def found(needles: list[str], content: bytes) -> list[str]:
    return [needle for needle in needles if needle.encode() in content]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_that_is_not_kept_is_archived_and_a_replay_still_reads_all(
    style: str, policy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contract = contract_of(style)
    with (
        caplog.at_level(logging.DEBUG),
        serving(api(style)) as server,
        Warehouse.open(f"sqlite:///{tmp_path / 'warehouse.db'}", COMMUNITY) as warehouse,
        Warehouse.open(f"sqlite:///{tmp_path / 'replayed.db'}", COMMUNITY) as replayed,
    ):
        result, privacy = night(server, contract, warehouse, tmp_path / "state", POLICIES[policy])
        assert len(held(warehouse, TABLES["users"])) == len(USERS)
        content = pages(tmp_path / "state")
        not_kept = {"keep": [], "default": ADDRESSES}.get(policy, NEEDLES)
        assert found(not_kept, content) == []
        # No message of the API is repeated anywhere else, whatever the policy.
        reasons = repr([(s.reason, str(s.error)) for s in result.streams]).encode()
        assert found([TEXT, NAME], dumped(warehouse) + reasons + caplog.text.encode()) == []
        again = replay(contract, replayed, tmp_path / "state" / "pages", privacy=privacy)
        verdicts = {stream.stream: stream.verdict for stream in again.streams}
        assert verdicts["users"] == "complete"
        assert [r["id"] for r in held(replayed, TABLES["users"])] == [r["id"] for r in held(warehouse, TABLES["users"])]


@pytest.mark.parametrize("style", STYLES)
def test_a_stricter_policy_and_an_erasure_reach_links_that_are_archived_already(style: str, tmp_path: Path) -> None:
    contract = contract_of(style)
    for change in ("policy", "erasure"):
        folder = tmp_path / change
        with (
            serving(api(style)) as server,
            Warehouse.open(f"sqlite:///{tmp_path / change}.db", COMMUNITY) as warehouse,
            Warehouse.open(f"sqlite:///{tmp_path / change}-replayed.db", COMMUNITY) as replayed,
        ):
            _, privacy = night(server, contract, warehouse, folder, KEEP)
            assert ENCODED.encode() in pages(folder), "as received"
            if change == "policy":
                privacy = Privacy(contract, COMMUNITY, DROP, folder=folder, archive=folder / "pages")
                privacy.begin(warehouse)
            else:
                privacy.erase(warehouse, "u4")
            assert found([ENCODED, quote(MAIL)], pages(folder)) == []
            again = replay(contract, replayed, folder / "pages", privacy=privacy)
            assert {s.stream: s.verdict for s in again.streams}["users"] == "complete"


PAGING = {"page": PagePaging(style="page"), "offset": OffsetPaging(style="offset"), "none": NoPaging(style="none")}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("now", [*PAGING, None])
def test_links_that_were_archived_under_an_earlier_contract_are_reached(
    style: str, now: str | None, tmp_path: Path
) -> None:
    contract = contract_of("cursor")
    users = {"users": contract.streams["users"].model_copy(update={"paging": PAGING[now]})} if now else {}
    others = {name: spec for name, spec in contract.streams.items() if name != "users"}
    contract = contract.model_copy(update={"streams": others | users})
    folder = tmp_path / "state"
    with (
        serving(api(style)) as server,
        Warehouse.open(f"sqlite:///{tmp_path / 'warehouse.db'}", COMMUNITY) as warehouse,
    ):
        night(server, contract_of(style), warehouse, folder, KEEP)
        Privacy(contract, COMMUNITY, Policy(), folder=folder, archive=folder / "pages").begin(warehouse)
    assert found([ENCODED, quote(MAIL)], pages(folder)) == []


def cleaned(document: Any, policy: Policy, contract: Contract | None = None) -> Any:
    kept = PolicyPages(contract or contract_with({}), Cleaner(policy, KEY)).page(page(orjson.dumps(document)))
    return kept and orjson.loads(kept.body)


UNREADABLE = {"wrong": [{"id": 1, "title": TEXT, "author": {"name": NAME}}]}


def test_a_page_in_which_no_records_are_found_is_archived_only_if_all_else_is_kept() -> None:
    assert cleaned(UNREADABLE, KEEP) == cleaned(UNREADABLE, Policy()) == UNREADABLE
    assert cleaned(UNREADABLE, DROP) is None
    assert cleaned(UNREADABLE, Policy(name="hash")) is None
    assert cleaned({"total": 0, "query": TEXT}, DROP) == {"total": 0}


@pytest.mark.parametrize("policy", [DROP, HASH, Policy()], ids=["drop", "hash", "default"])
def test_an_error_message_is_not_archived(policy: Policy) -> None:
    assert cleaned({"error": f"no {MAIL}"}, policy) is None
    assert cleaned({"error": {"message": MAIL}, "data": []}, policy) is None
    assert cleaned({"error": None, "data": [{"id": 1}], "by": MAIL}, policy) is not None


@pytest.mark.parametrize(
    "answers",
    [
        {"data": [{"question_id": "1", "value": TEXT}], "total": 1},
        {"edges": [{"node": {"question_id": "1", "value": TEXT}, "cursor": "1"}]},
    ],
    ids=["data", "edges"],
)
def test_a_list_in_an_envelope_is_held_to_the_policy_and_can_be_read_again(answers: dict[str, Any]) -> None:
    document = {"data": {"items": [{"id": 1, "answers": answers}], "page": 1}}
    kept = PolicyPages(contract_with({}), Cleaner(DROP, KEY)).page(page(orjson.dumps(document), stream="ideas"))
    assert kept is not None
    assert TEXT.encode() not in kept.body
    (idea,) = unwrapped(orjson.loads(kept.body)["data"])
    assert "'question_id': '1'" in repr(unwrapped(idea["answers"]))


def test_texts_in_lists_and_beside_the_records_are_texts() -> None:
    document = {"data": [{"id": 1, "notes": [TEXT], "m": {"k": [TEXT]}}], "q": TEXT, "more": [{"title": TEXT}]}
    for policy in (DROP, HASH):
        assert TEXT not in repr(cleaned(document, policy))


@pytest.mark.parametrize(
    ("link", "left"),
    [
        (f"https://x.example/y?u={quote(MAIL)}&n=1", "https://x.example/y?u=(removed)&n=1"),
        ("https://x.example/50%40off", "https://x.example/50%40off"),
        (quote(f"a {MAIL}"), "(removed)"),
        ("%40" * 99_999, "%40" * 99_999),
    ],
)
def test_an_address_in_a_link_is_found(link: str, left: str) -> None:
    assert cleaned({"data": [{"id": 1, "seen_at_link": link}]}, Policy()) == {"data": [{"id": 1, "seen_at_link": left}]}


@given(st.text(max_size=200).map(clean_text), st.sampled_from(list(STYLES)))
def test_places_are_hidden_once_and_the_same_wherever_they_stand(place: str, style: str) -> None:
    places = Places(contract_of(style))
    link = f"http://127.0.0.1/v2/users?after={quote(place, safe='')}"
    here = {"links": {"next": link}} if style == "next_link" else {"meta": {"next": place}} if style == "cursor" else {}
    headers = {"Link": f'<{link}>; rel="next"'} if style == "header" else {}
    body = orjson.dumps({"data": [], **here})
    common = {"stream": "users", "scope": "", "address": "http://127.0.0.1/v2/users"}
    first = places.page(page(body, position="", headers=headers, **common))
    second = places.page(page(b"", position=place if style == "cursor" else link, **common))
    assert first is not None
    assert second is not None
    assert "hidden-" in str(second.position) or second.position == ""
    stated = {
        "next_link": lambda: orjson.loads(first.body)["links"]["next"],
        "cursor": lambda: orjson.loads(first.body)["meta"]["next"],
        "header": lambda: first.headers["Link"][1:].partition(">")[0],
    }[style]()
    assert stated == second.position
    for one in (first, second):
        assert Places(contract_of(style)).page(one) == one


def test_headers_keep_what_they_are_needed_for() -> None:
    total = {"paging": {"!": {"style": "page", "total": {"header": "X-Total"}}}}
    places = Places(contract_with({"streams": {"ideas": total}}))
    headers = {"X-Total": " 7 ", "Content-Type": f"text/html; who={MAIL}; charset=utf-16"}
    kept = places.page(page(b"{}", headers=headers))
    assert kept is not None
    assert kept.headers == {"X-Total": "7", "Content-Type": "application/json; charset=utf-16"}
    kept = places.page(page(b"{}", headers={"X-Total": f"7 of {MAIL}"}))
    assert kept is not None
    assert kept.headers == {}
