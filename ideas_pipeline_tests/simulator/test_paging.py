from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.simulator.caller import Caller, contract_with

TABLES = generate("small")
EVERYBODY = list(TABLES["users"])

STYLES: dict[str, dict[str, Any]] = {
    "page from 1": {"paging": {"style": "page", "first": 1}},
    "page from 0": {"paging": {"style": "page", "first": 0}},
    "offset": {"paging": {"style": "offset", "size_parameter": "limit"}},
    "cursor": {"paging": {"style": "cursor", "cursor": "meta.next_cursor"}},
    "next link in the body": {"paging": {"style": "next_link", "next": "links.next"}},
    "next link in a header": {"paging": {"style": "next_link", "size_parameter": "per_page"}},
    "page in the path": {
        "path": "users/{page}/{size}",
        "paging": {"style": "page", "page_parameter": "page", "size_parameter": None},
    },
    "total in a header, bare array": {
        "records": "@body",
        "paging": {"style": "page", "total": {"header": "X-Total-Count"}},
    },
    "POST with a form": {"method": "POST", "send_as": "form", "paging": {"style": "page"}},
    "POST with JSON": {"method": "POST", "send_as": "json", "paging": {"style": "offset"}},
    "POST with a next link": {
        "method": "POST",
        "send_as": "form",
        "parameters": {"sort": "id"},
        "paging": {"style": "next_link", "next": "next", "size_parameter": "per_page"},
    },
    "none": {"paging": {"style": "none"}},
}


def walk(sim: Simulator, caller: Caller, size: int) -> Iterator[list[str]]:
    """The ids of each page, read in the contract's paging style until the last page."""
    stream = sim.contract.streams["users"]
    paging: Any = stream.paging
    number, offset, cursor, link = getattr(paging, "first", 0), 0, None, None
    while True:
        sent: dict[str, Any] = dict(stream.parameters)
        if getattr(paging, "size_parameter", None):
            sent[paging.size_parameter] = size
        if paging.style == "page" and "{page}" not in stream.path:
            sent[paging.page_parameter] = number
        if paging.style == "offset":
            sent[paging.offset_parameter] = offset
        if paging.style == "cursor" and cursor:
            sent[paging.cursor_parameter] = cursor
        url = link or sim.base_url + stream.path.format(page=number, size=size)
        if stream.send_as == "query" or link:
            response = caller.session.request(stream.method, url, params={} if link else sent)
        else:
            response = caller.session.post(url, **{"data" if stream.send_as == "form" else "json": sent})
        assert response.status_code == 200, response.text
        body = response.json()
        records = body if stream.records[0] == "@body" else body["data"]
        if records:
            yield [record["id"] for record in records]
        number, offset = number + 1, offset + len(records)
        cursor = body["meta"]["next_cursor"] if paging.style == "cursor" else None
        if paging.style == "next_link":
            link = response.links.get("next", {}).get("url")
            if paging.next:
                link = body["links"]["next"] if "links" in body else body["next"]
            link = urljoin(sim.base_url, link) if link else None
        if paging.style == "none" or not records or (paging.style in ("cursor", "next_link") and not (cursor or link)):
            return


@pytest.mark.parametrize("name", STYLES)
def test_every_style_of_paging_leads_through_the_whole_list(name: str, tmp_path: Path) -> None:
    contract = contract_with(tmp_path, {"streams": {"users": STYLES[name]}})
    with Simulator(contract, TABLES, page_cap=50) as sim:
        pages = list(walk(sim, Caller(sim), size=50))
    assert [user for page in pages for user in page] == EVERYBODY
    assert [len(page) for page in pages] == ([120] if name == "none" else [50, 50, 20])


def test_a_relative_next_link_leads_to_the_next_page(tmp_path: Path) -> None:
    contract = contract_with(tmp_path, {"streams": {"users": STYLES["next link in the body"]}})
    with Simulator(contract, TABLES, quirks=Quirks(next_links="relative"), page_cap=50) as sim:
        caller = Caller(sim)
        assert re.match(r"/v2/users\?position=", caller.get("users").json()["links"]["next"])
        assert [user for page in walk(sim, caller, size=50) for user in page] == EVERYBODY


@pytest.mark.parametrize("name", ["page from 1", "offset", "cursor", "next link in a header"])
def test_a_page_cap_shortens_pages_and_loses_no_row(name: str, tmp_path: Path) -> None:
    contract = contract_with(tmp_path, {"streams": {"users": STYLES[name]}})
    with Simulator(contract, TABLES, page_cap=7) as sim:
        pages = list(walk(sim, Caller(sim), size=50))
    assert max(map(len, pages)) == 7
    assert [user for page in pages for user in page] == EVERYBODY


def test_the_total_is_where_the_contract_says(tmp_path: Path) -> None:
    in_header = contract_with(tmp_path, {"streams": {"users": STYLES["total in a header, bare array"]}})
    with Simulator(in_header, TABLES) as sim:
        assert Caller(sim).get("users").headers["X-Total-Count"] == "120"
    nested = contract_with(tmp_path, {"streams": {"users": {"paging": {"total": {"body": "meta.count"}}}}})
    with Simulator(nested, TABLES) as sim:
        assert Caller(sim).get("users").json()["meta"] == {"count": 120}
    with Simulator(nested, TABLES, quirks=Quirks(total="text")) as sim:
        assert Caller(sim).get("users").json()["meta"] == {"count": "120"}
    with Simulator(nested, TABLES, quirks=Quirks(total="absent")) as sim:
        assert "meta" not in Caller(sim).get("users").json()


def test_parameters_that_the_contract_does_not_name_are_refused(tmp_path: Path) -> None:
    contract = contract_with(tmp_path, {"streams": {"users": {"parameters": {"sort": "id"}}}})
    with Simulator(contract, TABLES) as sim:
        caller = Caller(sim)
        assert caller.get("users", sort="id", page=1, per_page=5).status_code == 200
        assert caller.get("users", page=1).status_code == 400
        for wrong in ({"offset": 0}, {"page": 0}, {"page": "one"}, {"per_page": 0}):
            assert caller.get("users", sort="id", **wrong).status_code == 400


def test_a_cursor_of_another_list_is_refused(tmp_path: Path) -> None:
    cursor = {"paging": {"style": "cursor", "cursor": "next", "size": 2}}
    contract = contract_with(tmp_path, {"streams": {"ideas": cursor}})
    with Simulator(contract, TABLES) as sim:
        caller = Caller(sim)
        following = caller.get("challenges/501/ideas").json()["next"]
        assert caller.get("challenges/501/ideas", cursor=following).status_code == 200
        assert caller.get("challenges/502/ideas", cursor=following).status_code == 400
        assert caller.get("challenges/501/ideas", cursor="nonsense").status_code == 400


def test_a_list_of_something_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    with Simulator(contract_with(tmp_path, {}), TABLES) as sim:
        assert Caller(sim).get("challenges/999/ideas").status_code == 404


def test_single_records_are_read_by_id(tmp_path: Path) -> None:
    each = {"of": ["ideas.author_id"], "placeholder": "user_id"}
    one = {"path": "users/{user_id}", "reads": "one", "each": each, "paging": {"style": "none"}}
    contract = contract_with(tmp_path, {"streams": {"users": one}})
    with Simulator(contract, TABLES) as sim:
        caller = Caller(sim)
        user = EVERYBODY[5]
        assert caller.get(f"users/{user}").json()["data"]["id"] == user
        assert caller.get("users/nobody").status_code == 404


def test_a_list_that_changes_between_two_pages_drifts(tmp_path: Path) -> None:
    tables = generate("small")
    with Simulator(contract_with(tmp_path, {}), tables) as sim:
        caller = Caller(sim)
        first = [u["id"] for u in caller.get("users", page=1, per_page=40).json()["data"]]
        with sim.changing() as changed:
            del changed["users"][first[0]]
        second = [u["id"] for u in caller.get("users", page=2, per_page=40).json()["data"]]
    assert first == EVERYBODY[:40]
    assert second == EVERYBODY[41:81]


def test_the_hook_before_a_page_changes_what_that_page_shows(tmp_path: Path) -> None:
    tables = generate("small")
    seen: list[tuple[str, str]] = []

    def remove_the_first(stream: str, scope: str, changing: Any) -> None:
        seen.append((stream, scope))
        if stream == "users":
            del changing["users"][next(iter(changing["users"]))]

    with Simulator(contract_with(tmp_path, {}), tables) as sim:
        sim.before_page = remove_the_first
        caller = Caller(sim)
        assert caller.get("users").json()["total"] == 119
        assert caller.get("users").json()["data"][0]["id"] == EVERYBODY[2]
        caller.get("challenges/501/ideas")
    assert seen == [("users", ""), ("users", ""), ("ideas", "501")]


def test_a_contract_that_no_api_can_follow_is_refused(tmp_path: Path) -> None:
    contract = contract_with(tmp_path, {"streams": {"users": {"records": "@body"}}})
    with pytest.raises(ValueError, match=r"streams\.users: the records are the whole body"):
        Simulator(contract, TABLES)
