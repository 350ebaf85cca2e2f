"""``fit`` against live APIs with habits that the random ones do not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Steps
from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.limits import fit_limits
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.responses import Response
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.contract_fit import misfits
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, village
from ideas_pipeline_tests.fit.evidence import values
from ideas_pipeline_tests.fit.measuring import fitted, unlimited
from ideas_pipeline_tests.fit.odd import odd

STREAMS = ("challenges", "users", "ideas", "comments", "votes")


def test_an_api_that_is_as_the_contract_says_needs_no_line(tmp_path: Path) -> None:
    with odd(unlimited()) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert (values(draft), draft.open_questions()) == ({}, [])
    assert len(draft.confirmed) > 80


def test_a_page_size_that_the_api_refuses_is_replaced_by_the_largest_that_it_accepts(tmp_path: Path) -> None:
    def at_most_30(request: web.BaseRequest, _: str) -> Response | None:
        size = int(request.query.get("per_page", 1))
        return Response(400, b'{"error": "per_page must be at most 30"}') if size > 30 else None

    with odd(unlimited(), at_most_30) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert values(draft) == {f"streams.{stream}.paging.size": 25 for stream in STREAMS}


def test_comments_that_are_one_list_do_not_need_the_list_of_ideas(tmp_path: Path) -> None:
    def without_ideas(_: web.BaseRequest, path: str) -> Response | None:
        return None if path.endswith("/challenges") or "auth" in path else Response(404, b"{}")

    contract = contract_with({"streams": {"comments": {"path": "comments", "each": None}}})
    with odd(contract, without_ideas) as simulator:
        draft, _ = fitted(simulator, contract, tmp_path)
    asked = {".".join(map(str, question.place)) for question in draft.open_questions()}
    assert {"streams.ideas.path", "streams.comments.path"} <= asked


@pytest.mark.parametrize("is_stated", [False, True])
def test_a_stated_page_size_is_not_replaced_by_that_of_another_list(is_stated: bool, tmp_path: Path) -> None:
    def at_most_30(request: web.BaseRequest, path: str) -> Response | None:
        size = int(request.query.get("per_page", 1))
        return Response(400, b'{"error": "too large"}') if size > 30 and path != "/v2/challenges" else None

    place = ("streams", "challenges", "paging", "size")
    with odd(unlimited(), at_most_30) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path, stated=[place] if is_stated else [])
    assert (place in draft.lines) == (not is_stated)


def test_a_page_that_the_api_cuts_short_shows_its_own_size(tmp_path: Path) -> None:
    with Simulator(unlimited(), village(), page_cap=20) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert draft.contract.streams["users"].paging.model_dump()["size"] == 20


@pytest.mark.parametrize("is_stated", [False, True])
def test_the_paging_of_a_list_with_one_record_is_as_in_other_lists_or_as_stated(
    is_stated: bool, tmp_path: Path
) -> None:
    def one_user(_: web.BaseRequest, path: str) -> Response | None:
        body = b'{"data": [{"id": 1, "display_name": "Jane"}], "total": 1}'
        return Response(200, body) if path == "/v2/users" else None

    offset = {"style": "offset", "offset_parameter": "start", "size_parameter": "per_page"}
    with odd(unlimited(), one_user) as simulator:
        own = contract_with({"streams": {"users": {"paging": {"!": offset}}}})
        stated = [("streams", "users", "paging", "style")] if is_stated else []
        draft, _ = fitted(simulator, own, tmp_path, stated=stated)
    assert draft.contract.streams["users"].paging.style == ("offset" if is_stated else "page")


def test_an_api_without_a_list_of_people_is_read_person_by_person(tmp_path: Path) -> None:
    each = {"of": ["ideas.author_id"], "placeholder": "user_id"}
    one: dict[str, Any] = {"path": "people/{user_id}", "reads": "one", "records": ["person"], "each": each}
    one["paging"] = {"!": {"style": "none"}}
    with odd(contract_with({"streams": {"users": one}})) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path, most=100)
    users = draft.contract.streams["users"]
    assert (users.path, users.reads, users.records) == ("people/{user_id}", "one", ("person",))
    assert [q for q in draft.open_questions() if q.place[:2] == ("streams", "users")] == []


def test_web_pages_for_unknown_paths_are_not_lists_and_do_not_confirm_a_header(tmp_path: Path) -> None:
    other = {
        "auth": {"header": {"name": "X-Auth-Token", "format": "{access_token}"}},
        "streams": {"challenges": {"path": "contests"}, "ideas": {"path": "contests/{challenge_id}/ideas"}},
    }
    contract = contract_with(other)
    known = ("auth", "contests", "users", "ideas")

    def web_page(_: web.BaseRequest, path: str) -> Response | None:
        is_known = path.removeprefix("/v2/").split("/")[0] in known
        return None if is_known else Response(200, b"<html>Welcome</html>", content_type="text/html")

    with odd(contract, web_page) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert values(draft) == {
        "auth.header.name": "X-Auth-Token",
        "auth.header.format": "{access_token}",
        "streams.challenges.path": "contests",
        "streams.ideas.path": "contests/{challenge_id}/ideas",
    }


def test_a_list_that_the_account_may_not_read_is_named_in_the_question(tmp_path: Path) -> None:
    def no_users(_: web.BaseRequest, path: str) -> Response | None:
        return Response(403, b'{"error": "administrators only"}') if path == "/v2/users" else None

    with odd(unlimited(), no_users) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    [question] = draft.open_questions()
    assert question.place == ("streams", "users", "path")
    assert "the API refuses users (HTTP 403)" in question.text


def test_a_login_answer_that_cannot_be_understood_is_described_by_names_and_kinds(tmp_path: Path) -> None:
    def two_texts(_: web.BaseRequest, path: str) -> Response | None:
        return Response(200, b'{"alpha": "s3cr3t-one", "beta": "s3cr3t-two"}') if path == "/v2/auth/code" else None

    with odd(unlimited(), two_texts) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    [question] = draft.open_questions()
    assert (question.place, question.proposal) == (("auth", "code", "auth_code"), "alpha")
    assert "alpha (a text of 10 characters), beta (a text of 10 characters)" in question.text
    assert "s3cr3t" not in repr(draft.questions) + repr(draft.lines)


@pytest.mark.parametrize(
    "error", [{"success": False, "msg": "invalid-request"}, {"status": "error", "info": "no-json"}]
)
def test_an_error_with_status_200_is_not_taken_for_an_auth_code(error: dict[str, Any], tmp_path: Path) -> None:
    def only_json(request: web.BaseRequest, path: str) -> Response | None:
        is_other = path == "/v2/auth/code" and request.content_type != "application/json"
        return Response(200, json.dumps(error).encode()) if is_other else None

    with odd(contract_with({"auth": {"code": {"send_as": "json"}}}), only_json) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert values(draft) == {"auth.code.send_as": "json"}


@pytest.mark.parametrize("no_error", [{"code": 0, "message": ""}, "0", "none"])
def test_a_login_answer_that_states_no_error_is_accepted(no_error: Any, tmp_path: Path) -> None:
    def two_texts(_: web.BaseRequest, path: str) -> Response | None:
        body = {"error": no_error, "alpha": "s3cr3t-one", "beta": "s3cr3t-two"}
        return Response(200, json.dumps(body).encode()) if path == "/v2/auth/code" else None

    with odd(unlimited(), two_texts) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert [question.place for question in draft.open_questions()] == [("auth", "code", "auth_code")]


@pytest.mark.parametrize("status", [200, 400])
def test_a_token_in_another_header_can_be_refused_with_any_status(status: int, tmp_path: Path) -> None:
    def without_header(request: web.BaseRequest, path: str) -> Response | None:
        is_refused = "auth" not in path and path != "/v2/" and "X-Auth-Token" not in request.headers
        return Response(status, b'{"error": "invalid_token"}') if is_refused else None

    with odd(
        contract_with({"auth": {"header": {"name": "X-Auth-Token", "format": "{access_token}"}}}), without_header
    ) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert values(draft) == {"auth.header.name": "X-Auth-Token", "auth.header.format": "{access_token}"}


def test_refused_credentials_are_not_tried_for_long(tmp_path: Path) -> None:
    with odd(unlimited()) as simulator:
        simulator.auth.revoked = True
        with pytest.raises(AuthenticationError, match="refuses the client id and secret"):
            fitted(simulator, unlimited(), tmp_path)
        assert len(simulator.log) <= 10


def test_a_rate_limit_ends_it_with_what_was_found(tmp_path: Path) -> None:
    other = {"challenges": {"path": "campaigns"}, "ideas": {"path": "campaigns/{challenge_id}/ideas"}}
    with odd(contract_with({"streams": other})) as simulator:
        simulator.faults.add(Fault(kind="status", stream="ideas", status=429, retry_after="seconds", seconds=7200))
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert values(draft)["streams.challenges.path"] == "campaigns"
    assert draft.open_questions()[0].text.startswith("The API demands a pause")


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({"X-RateLimit-Limit": "300", "X-RateLimit-Window": "3600"}, {"requests_per_hour": 300}),
        ({"RateLimit-Limit": "100;w=10"}, {"requests_per_second": 10.0}),
        ({"X-RateLimit-Limit-Minute": "60"}, {"requests_per_hour": 3600}),
        ({"RateLimit-Limit": "100;w=0"}, {}),
        ({"RateLimit-Limit": "100", "RateLimit-Policy": "100;w=0"}, {}),
    ],
)
def test_a_rate_header_with_its_window_becomes_a_limit(headers: dict[str, str], limits: dict[str, float]) -> None:
    draft = Draft(unlimited().model_dump(by_alias=True), misfits)
    fit_limits(draft, [Exchange("the API", status=404, answer_headers=CaseInsensitiveDict(headers))])
    assert values(draft) == {f"limits.{name}": value for name, value in limits.items()}
    assert len(draft.questions) == (not limits)


@pytest.mark.parametrize("headers", [{"X-RateLimit-Limit-Hour": "300"}, {"X-RateLimit-Limit-Second": "5"}])
def test_a_limit_that_the_operator_states_stays(headers: dict[str, str]) -> None:
    stated: frozenset[Steps] = frozenset({("limits", "requests_per_hour"), ("limits", "requests_per_second")})
    draft = Draft(unlimited().model_dump(by_alias=True), misfits, stated)
    fit_limits(draft, [Exchange("the API", status=200, answer_headers=CaseInsensitiveDict(headers))])
    assert (draft.lines, draft.questions) == ({}, [])


def test_a_limit_is_read_from_any_response_of_the_api(tmp_path: Path) -> None:
    contract = unlimited()
    with odd(contract) as simulator:

        def with_limit(request: web.BaseRequest, path: str) -> Response | None:
            is_root = path == "/v2/"
            return Response(404, b"{}", {"X-RateLimit-Limit": "300", "X-RateLimit-Window": "3600"}) if is_root else None

        simulator.odd = with_limit
        draft, _ = fitted(simulator, contract, tmp_path)
    assert values(draft) == {"limits.requests_per_hour": 300}
