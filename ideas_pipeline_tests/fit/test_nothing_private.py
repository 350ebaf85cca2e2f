"""No value of a record, no secret and no token gets from the evidence into the contract or onto the screen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ideas_pipeline.fit.files import read_file
from ideas_pipeline.fit.recorded import address_of
from ideas_pipeline.simulator.responses import Response
from ideas_pipeline_tests.fit.evidence import entry, fitted_from, har, shown, values
from ideas_pipeline_tests.fit.measuring import fitted, unlimited
from ideas_pipeline_tests.fit.odd import odd

IDEAS = [{"id": n, "title": f"Idea {n}", "created_at": "2026-01-31T10:00:00Z"} for n in range(12)]


@pytest.mark.parametrize(
    "line",
    [
        "curl --oauth2-bearer s3cr3t.token.abc https://api.example.com/v2/ideas",
        "curl https://api.example.com/v2/ideas --oauth2-bearer s3cr3t.token.abc",
        "curl api.example.com/v2/ideas --oauth2-bearer s3cr3t.token.abc",
        "curl api.example.com/v2/ideas --some-new-option s3cr3t.token.abc",
        "curl --some-new-option s3cr3t.token.abc api.example.com/v2/ideas",
        "curl --proxy-header 'X-Key: s3cr3t' -sSLE s3cr3t.pem https://api.example.com/v2/ideas",
        "curl -sXGET https://api.example.com/v2/ideas",
        "curl -su jane:s3cr3t https://jane:s3cr3t@api.example.com/v2/ideas",
        "curl -o s3cr3t.json --url https://api.example.com/v2/ideas",
    ],
)
def test_no_value_of_a_curl_option_is_taken_for_the_url(line: str, tmp_path: Path) -> None:
    file = tmp_path / "requests.txt"
    file.write_text(line)
    [request] = read_file(file)
    assert (request.method, request.base, request.path) == ("GET", "https://api.example.com", "/v2/ideas")
    assert address_of([request], None) == "https://api.example.com/v2/"


def test_options_written_together_mean_the_same_as_apart(tmp_path: Path) -> None:
    file = tmp_path / "requests.txt"
    file.write_text(
        "curl -sSXPOST https://api.example.com/v2/auth/code -dclient_id=abc -sd client_secret=s3cr3t\n"
        "curl -sG https://api.example.com/v2/ideas -d page=2\n"
    )
    code, ideas = read_file(file)
    assert (code.method, code.path) == ("POST", "/v2/auth/code")
    assert code.values == {"client_id": "abc", "client_secret": "s3cr3t"}
    assert (ideas.method, ideas.send_as, ideas.values) == ("GET", "query", {"page": "2"})


@pytest.mark.parametrize("kind", ["har", "openapi"])
def test_the_user_and_password_of_a_url_are_not_part_of_the_address(kind: str, tmp_path: Path) -> None:
    if kind == "har":
        file = har(tmp_path, entry("https://jane:s3cr3t@api.example.com/v2/ideas", {"data": IDEAS}))
    else:
        file = tmp_path / "openapi.json"
        paths = {"/ideas": {"get": {"responses": {"200": {"description": "all ideas"}}}}}
        servers = [{"url": "https://jane:s3cr3t@api.example.com/v2"}]
        file.write_text(json.dumps({"openapi": "3.0.0", "servers": servers, "paths": paths}))
    assert address_of(read_file(file), None) == "https://api.example.com/v2/"


LOGIN = entry(
    "https://api.example.com/v2/auth/token",
    {"access_token": "tok-123456"},
    posted={"code": "abcdef", "client_id": "x", "client_secret": "y"},
)


@pytest.mark.parametrize(
    "value",
    [
        "user=jane@example.org; sig=s3cr3t; t=tok-123456",
        "jane:tok-123456",
        "tok-123456; sig=s3cr3t",
        "s3cr3t.tok-123456",
    ],
)
def test_the_text_around_a_token_is_not_written_but_asked_for(value: str, tmp_path: Path) -> None:
    lists = entry("https://api.example.com/v2/ideas", {"data": IDEAS}, headers={"X-Session": value})
    draft = fitted_from(har(tmp_path, LOGIN, lists))
    assert values(draft)["auth.header.name"] == "X-Session"
    assert "auth.header.format" not in values(draft)
    [question] = [q for q in draft.questions if q.place == ("auth", "header", "format")]
    assert "The header X-Session in visit.har carries the token" in question.text
    assert [text for text in ("jane", "s3cr3t", "tok-123456") if text in shown(draft)] == []


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("tok-123456", "{access_token}"),
        ("OAuth tok-123456", "OAuth {access_token}"),
        ("Token token=tok-123456", None),
        ("token=tok-123456", "token={access_token}"),
        ("v1 tok-123456", "v1 {access_token}"),
    ],
)
def test_a_scheme_before_the_token_is_written(value: str, form: str | None, tmp_path: Path) -> None:
    lists = entry("https://api.example.com/v2/ideas", {"data": IDEAS}, headers={"X-Session": value})
    assert values(fitted_from(har(tmp_path, LOGIN, lists))).get("auth.header.format") == form


def test_a_token_or_a_person_in_the_path_of_a_login_is_not_written(tmp_path: Path) -> None:
    for path in ("auth/check/tok-123456", "people/jane@example.org/verify"):
        check = entry(f"https://api.example.com/v2/{path}", {"valid": True}, posted={"access_token": "tok-123456"})
        lists = entry("https://api.example.com/v2/ideas", {"data": IDEAS})
        draft = fitted_from(har(tmp_path, LOGIN, check, lists))
        assert "auth.validate.path" not in values(draft)
        assert ("auth", "validate", "path") in [question.place for question in draft.questions]
        assert [text for text in ("jane", "tok-123456") if text in shown(draft)] == []


NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_name_in_the_json_that_is_a_value_is_not_shown(is_asked: bool, tmp_path: Path) -> None:
    """It is shown neither in the question for the time zone nor in the comment of its line."""
    people = [f"jane.{n}@example.org" for n in range(6)] + [f"jane{n}" for n in range(6)]
    months = [f"2026-{n:02}" for n in range(1, 13)]
    ideas = [
        IDEAS[n]
        | {
            "created_at": f"{month}-03 13:00:00",
            "by": {person: {"seen_at": f"{month}-03 13:00:00", "seen_at_utc": f"{month}-03T12:00:00Z"}},
        }
        for n, (person, month) in enumerate(zip(people, months, strict=True))
    ]
    body: dict[str, Any] = {"data": ideas[:1] if is_asked else ideas, "jane": {"time": "2026-07-01 13:00:00"}}
    headers = {} if is_asked else {"Date": format_datetime(NOW, usegmt=True)}
    draft = fitted_from(har(tmp_path, entry("https://api.example.com/v2/ideas", body, **headers)))
    assert "jane" not in shown(draft)


IDS = ("Xk29fjQz", "jane.doe", "my-first-challenge", "user@example.org")


@pytest.mark.parametrize("own", IDS)
def test_an_id_of_any_form_between_two_lists_is_the_parent(own: str, tmp_path: Path) -> None:
    draft = fitted_from(har(tmp_path, entry(f"https://api.example.com/v2/challenges/{own}/ideas", {"data": IDEAS})))
    ideas = draft.contract.streams["ideas"]
    assert ideas.path == "challenges/{challenge_id}/ideas"
    assert ideas.each is not None
    assert own not in shown(draft)


@pytest.mark.parametrize("own", IDS)
@pytest.mark.parametrize("word", ["challenges", "ideas", "people"])
@pytest.mark.parametrize("body", [{"id": 17, "title": "One", "comments": IDEAS}, {"items": IDEAS}])
def test_a_path_that_ends_with_an_id_of_any_form_is_not_a_list(
    own: str, word: str, body: dict[str, Any], tmp_path: Path
) -> None:
    one = entry(f"https://api.example.com/v2/{word}/{own}", body)
    draft = fitted_from(har(tmp_path, entry("https://api.example.com/v2/stages", {"data": []}), one))
    assert own not in shown(draft)


def test_a_part_of_a_list_and_a_list_of_unknown_name_are_lists(tmp_path: Path) -> None:
    draft = fitted_from(har(tmp_path, entry("https://api.example.com/v2/ideas/search?page=1", {"data": IDEAS})))
    assert values(draft)["streams.ideas.path"] == "ideas/search"
    draft = fitted_from(har(tmp_path, entry("https://api.example.com/v2/boards/aB3dE5fG/ideas", {"data": IDEAS})))
    assert values(draft)["streams.ideas.path"] == "boards/{challenge_id}/ideas"


@pytest.mark.parametrize(
    ("body", "records"),
    [
        ({"jane@example.org": IDEAS}, None),
        ({"data": {"jane doe": IDEAS}}, None),
        ({"$values": IDEAS}, "$values"),
        ({"data": {"item-list": IDEAS}}, "data.item-list"),
    ],
)
def test_a_name_that_may_be_a_value_is_not_part_of_the_path_of_the_records(
    body: dict[str, Any], records: str | None, tmp_path: Path
) -> None:
    draft = fitted_from(har(tmp_path, entry("https://api.example.com/v2/challenges/7/ideas", body)))
    assert values(draft).get("streams.ideas.records") == records
    assert "jane" not in shown(draft)


@pytest.mark.parametrize("own", IDS)
def test_a_list_below_a_person_is_left_out_and_is_not_part_of_the_address(own: str, tmp_path: Path) -> None:
    people = [{"id": n, "display_name": f"P{n}", "joined_at": "2026-01-31T10:00:00Z"} for n in range(12)]
    file = har(tmp_path, entry(f"https://api.example.com/people/{own}/followers", {"data": people}))
    assert address_of(read_file(file), None) == "https://api.example.com/"
    draft = fitted_from(file)
    assert "path" not in {place.rpartition(".")[2] for place in values(draft)}
    assert own not in shown(draft)


def test_a_version_after_the_word_of_a_list_is_not_an_id(tmp_path: Path) -> None:
    url = "https://api.example.com/community/feedback/api/v2/challenges/7/ideas"
    draft = fitted_from(har(tmp_path, entry(url, {"data": IDEAS})), base_url="https://api.example.com/")
    assert draft.contract.streams["ideas"].path == "community/feedback/api/v2/challenges/{challenge_id}/ideas"


@pytest.mark.parametrize("is_shared", [True, False])
def test_links_of_the_records_are_tried_only_if_they_differ_in_the_id_alone(is_shared: bool, tmp_path: Path) -> None:
    folders = ("threads", "threads") if is_shared else ("jane-doe", "max")
    ideas = [{"id": n, "links": {"comments": f"/v2/{folder}/{n}/chatter"}} for n, folder in enumerate(folders, 1)]
    asked = []

    def linked(_: web.BaseRequest, path: str) -> Response | None:
        asked.append(path)
        rows: list[dict[str, Any]] = []
        if path.startswith("/v2/challenges/") and path.endswith("/ideas"):
            rows = ideas
        elif path.endswith("/chatter"):
            rows = [{"id": 1, "body": "Yes"}]
        elif path.endswith("/comments"):
            return Response(404, b"{}")
        return Response(200, json.dumps({"data": rows, "total": len(rows)}).encode()) if rows else None

    with odd(unlimited(), linked) as simulator:
        draft, _ = fitted(simulator, unlimited(), tmp_path)
    assert (draft.contract.streams["comments"].path == "threads/{idea_id}/chatter") == is_shared
    assert [text for text in (*asked, shown(draft)) if "jane-doe" in text] == []
