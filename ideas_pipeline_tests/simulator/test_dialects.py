"""Each dialect is seen in the responses, and those that contradict each other are refused."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import requests

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.dialects import DIALECTS, combined, contradict, quirks_of
from ideas_pipeline.simulator.restless import restless
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline_tests.simulator.caller import Caller

TABLES = generate("small", seed=1)


def refused(dialect: str) -> tuple[requests.Response, requests.Response]:
    """The responses to an expired token and to a call that is too fast."""
    with Simulator(load_contract(None), TABLES, quirks=quirks_of(combined([dialect]))) as simulator:
        caller = Caller(simulator)
        simulator.auth.expire_tokens()
        expired = caller.get("challenges")
        simulator.rate_limit = 0
        return expired, caller.get("challenges")


EXPIRED: dict[str, tuple[int, dict[str, Any]]] = {
    "expired-as-403": (403, {"message": "the access token is unknown or has expired"}),
    "expired-as-400": (400, {"error": "invalid_token"}),
    "expired-as-200": (200, {"error": "invalid_token"}),
    "expired-as-200-with-a-code": (200, {"success": False, "code": 401}),
    "refresh-token-stays": (401, {"error": "the access token is unknown or has expired"}),
}
LIMITED: dict[str, tuple[int, str]] = {
    "rate-limit-as-403": (403, "You have exceeded a rate limit."),
    "rate-limit-as-200": (200, "rate_limit_exceeded"),
    "expired-as-403": (429, "more than 0 requests per second"),
}


@pytest.mark.parametrize("dialect", EXPIRED)
def test_an_expired_token_is_refused_in_the_dialect(dialect: str) -> None:
    response, _ = refused(dialect)
    status, body = EXPIRED[dialect]
    assert response.status_code == status
    assert body.items() <= response.json().items()


@pytest.mark.parametrize("dialect", LIMITED)
def test_a_call_that_is_too_fast_is_refused_in_the_dialect(dialect: str) -> None:
    _, response = refused(dialect)
    status, text = LIMITED[dialect]
    assert response.status_code == status
    assert text in response.text
    assert response.headers.get("Retry-After") == (None if status == 200 else "1")


def test_a_refresh_token_that_stays_can_be_used_again() -> None:
    dialect = combined(["refresh-token-stays"])
    with Simulator(load_contract(None), TABLES, quirks=quirks_of(dialect)) as simulator:
        caller = Caller(simulator)
        pair = caller.login()
        answers = [caller.post("auth/refresh", refresh_token=pair["refresh_token"]).json() for _ in range(2)]
    assert [sorted(answer) for answer in answers] == [["access_token", "expires_in"]] * 2


def page(dialect: str, path: str, **parameters: Any) -> requests.Response:
    """The response for one page of a community with a challenge that has no ideas."""
    tables = {name: dict(rows) for name, rows in TABLES.items()}
    tables["challenges"]["9"] = tables["challenges"]["501"] | {"id": "9"}
    spoken = combined([dialect])
    contract = Contract.model_validate(merge(load_contract(None).model_dump(by_alias=True), spoken.contract))
    with Simulator(contract, tables, page_cap=spoken.page_cap, quirks=quirks_of(spoken)) as simulator:
        return Caller(simulator).get(path, **parameters)


EMPTY = "challenges/9/ideas"


def test_a_page_beyond_the_last_one() -> None:
    for status in (404, 400, 416):
        assert page(f"beyond-as-{status}", "users", page=3).status_code == status
        assert page(f"beyond-as-{status}", EMPTY).status_code == 200
    assert page("last-page-again", "users", page=9).json() == page("no-total", "users", page=2).json() | {"total": 120}
    assert page("own-page-size", "users", page=99).json() == {"data": [], "total": 120}


def test_a_list_without_rows() -> None:
    assert page("empty-as-204", EMPTY).status_code == 204
    assert page("empty-as-404", EMPTY).status_code == 404
    assert page("empty-as-null", EMPTY).json() == {"data": None, "total": 0}
    assert page("empty-left-out", EMPTY).json() == {"total": 0}
    assert page("maps-by-id", EMPTY).json() == {"data": {}, "total": 0}


def test_totals() -> None:
    assert page("total-capped", "users").json()["total"] == 6
    assert page("total-on-the-first-page", "users").json()["total"] == 120
    assert "total" not in page("total-on-the-first-page", "users", page=2).json()
    assert page("total-in-a-header", "users").headers["X-Total-Count"] == "120"
    assert page("total-estimated", "challenges").json()["total"] == 10
    assert page("total-too-small", "users").json()["total"] == 60
    assert page("total-too-large", "users").json()["total"] > 120


def test_pages_that_name_the_next_one() -> None:
    first = page("hidden-rows", "users", per_page=10).json()
    assert len(first["data"]) == 4
    second = page("hidden-rows", "users", per_page=10, cursor=first["next_cursor"]).json()
    assert (second["data"], second["total"]) == ([], 120)
    assert page("endless-cursors", "users", per_page=1000).json()["next_cursor"]
    assert page("relative-links", "users").json()["links"]["next"].startswith("/v2/users?")
    assert "://elsewhere.example" in page("links-to-another-host", "users").json()["links"]["next"]


def test_rows_in_the_order_of_their_last_edit() -> None:
    edited = [row["updated_at"] for row in page("newest-first", "challenges").json()["data"]]
    assert edited == sorted(edited, reverse=True)


def test_dialects_of_different_things_can_be_combined() -> None:
    names = ["own-page-size", "times-without-zone", "expired-as-200", "byte-order-mark", "maintenance-as-200"]
    dialect = combined(names)
    assert dialect.page_cap == DIALECTS["own-page-size"].page_cap
    assert dialect.contract == {"timezone": "Africa/Lagos"}
    assert (quirks_of(dialect).timestamps, quirks_of(dialect).expired_as) == ("naive", "200")
    assert [fault.kind for fault in dialect.faults] == ["bom", "html"]


def test_combined_dialects_change_all_that_each_of_them_changes() -> None:
    changing = [name for name, dialect in DIALECTS.items() if dialect.changes]
    for one, other in itertools.combinations(changing, 2):
        if not contradict(one, other):
            dialect = combined([one, other])
            assert dialect.changes == DIALECTS[one].changes + DIALECTS[other].changes
    tables = generate(Size(challenges=2, ideas=6, comments=9, votes=9, users=9), seed=1)
    combined(["long-ids", "invalid-utf-8"]).change(tables)
    assert all(key.startswith("1234567890123456789") for key in tables["ideas"])
    assert any("\ufffd" in idea["title"] for idea in tables["ideas"].values())


def test_a_community_has_ids_in_one_form() -> None:
    for one, other in itertools.combinations(("long-ids", "ids-with-zeros", "ids-in-two-cases"), 2):
        assert contradict(one, other)
    assert contradict("ids-as-numbers", "ids-with-zeros")


def test_dialects_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="expired-as-403 and expired-as-200 contradict each other"):
        combined(["expired-as-200", "expired-as-403"])


def test_every_dialect_is_described_and_its_quirks_exist() -> None:
    for name, dialect in DIALECTS.items():
        assert dialect.about, name
        assert dialect.quirks.keys() <= {field.name for field in dataclasses.fields(Quirks)}, name


def community(dialect: str) -> Tables:
    """A community with what the dialect shows itself in."""
    tables = generate(Size(challenges=2, ideas=6, comments=9, votes=9, users=9), seed=1)
    DIALECTS[dialect].change(tables)
    return tables


def first_users(dialect: str) -> requests.Response:
    return first_page(dialect, "users")


def first_page(dialect: str, path: str) -> requests.Response:
    spoken = combined([dialect])
    contract = Contract.model_validate(merge(load_contract(None).model_dump(by_alias=True), spoken.contract))
    with Simulator(contract, community(dialect), quirks=quirks_of(spoken)) as simulator:
        return Caller(simulator).get(path)


def test_odd_ids_are_changed_wherever_they_are_named() -> None:
    for dialect, shown in (("long-ids", "1234567890123456789"), ("ids-with-zeros", "00"), ("ids-in-two-cases", "")):
        tables = community(dialect)
        for table in ("ideas", "comments", "votes"):
            assert all(key == row["id"] and key.startswith(shown) for key, row in tables[table].items())
        assert {row["idea_id"] for row in tables["comments"].values()} <= tables["ideas"].keys()
        assert {row["author_id"] for row in tables["ideas"].values()} - {None} <= tables["users"].keys()
    assert len({key.lower() for key in tables["users"]}) < len(tables["users"])
    assert isinstance(first_users("long-ids").json()["data"][0]["id"], int)


@pytest.mark.parametrize(
    ("dialect", "sent"), [("invalid-utf-8", b" \xff"), ("nul-in-texts", rb" \u0000"), ("lone-surrogates", rb" \ud800")]
)
def test_odd_characters_are_sent(dialect: str, sent: bytes) -> None:
    assert sent in first_users(dialect).content


def test_texts_are_escaped_as_in_html() -> None:
    assert "&#39;R&amp;amp;D&#x27;" in first_users("html-entities").text


def test_times_and_booleans_in_odd_formats() -> None:
    times = [user["joined_at"] for user in first_users("times-in-many-formats").json()["data"]]
    assert len({(type(time), len(str(time))) for time in times}) > 3
    assert first_users("times-in-milliseconds").json()["data"][0]["joined_at"] > 1e12
    assert page("letters-for-booleans", "challenges").json()["data"][0]["visible"] == "Y"
    assert "1899-12-30 00:00:00" in first_users("1899-for-none").text


def test_a_list_that_ignores_its_parent() -> None:
    one, other = (page("ignored-parents", f"challenges/{number}/ideas").json() for number in (501, 502))
    assert one == other
    assert {idea["challenge_id"] for idea in one["data"]} >= {"501", "502"}


def test_records_in_the_lists_of_two_parents_name_theirs() -> None:
    one, other = (page("shared-records", f"challenges/{number}/ideas").json()["data"] for number in (501, 502))
    shared = {idea["id"]: idea["challenge_id"] for idea in one if idea in other}
    assert shared
    assert set(shared.values()) == {"501"}


def test_ids_that_are_missing_mixed_or_of_one_list_only() -> None:
    assert "id" not in first_page("no-ids", "ideas/718775/votes").json()["data"][0]
    comments = [first_page("ids-per-idea", f"ideas/{n}/comments").json()["data"] for n in (718775, 718827)]
    assert all([row["id"] for row in rows] == [str(n + 1) for n in range(len(rows))] for rows in comments)
    assert all(comments)
    idea = first_page("mixed-ids", "challenges/501/ideas").json()["data"][0]
    assert (type(idea["id"]), type(idea["author"] and idea["author"]["id"])) in ((int, str), (int, type(None)))
    assert isinstance(first_page("mixed-ids", "challenges").json()["data"][0]["id"], int)


def test_items_inside_a_record_that_come_twice() -> None:
    labels = [idea["labels"] for idea in page("repeated-items", "challenges/501/ideas").json()["data"]]
    assert any(labels)
    assert all(of_idea[::2] == of_idea[1::2] for of_idea in labels)


@pytest.mark.parametrize(("dialect", "path"), [("replies-inside-comments", "replies"), ("threads-inside-comments", "")])
def test_comments_hold_the_replies_to_them(dialect: str, path: str) -> None:
    def count(comments: list[dict[str, Any]]) -> int:
        inside = [c[path] if path else c["thread"]["answers"] for c in comments]
        return len(comments) + sum(map(count, inside))

    flat, nested = (page(name, "ideas/718775/comments").json()["data"] for name in ("own-page-size", dialect))
    assert flat
    assert count(nested) >= len(flat) > 0


def test_days_and_hours_that_the_clocks_skip_or_repeat() -> None:
    days = [user["joined_at"] for user in first_users("whole-days").json()["data"]]
    assert {type(day) for day in days} == {int, str}
    assert all(len(str(day)) == 8 for day in days)
    text = "".join(first_page("odd-hours", f"challenges/{n}/ideas").text for n in (501, 502))
    assert "2024-03-31 02:30:00" in text
    assert "2024-10-27 02:30:00" in text
    assert "+" not in text


def test_lists_that_never_stand_still_lose_and_repeat_only_what_passes() -> None:
    tables = community("restless")
    lived = set(tables["users"])
    with Simulator(load_contract(None), tables) as simulator:
        simulator.before_page = restless()
        caller = Caller(simulator)
        seen = [[user["id"] for user in caller.get("users").json()["data"]] for _ in range(12)]
    assert all(lived <= set(ids) for ids in seen)
    assert len({tuple(ids) for ids in seen}) == 5
    assert len(seen[-1]) == len(lived) + 2
