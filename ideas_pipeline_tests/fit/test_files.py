"""What ``fit`` makes of files alone: no request is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.errors import SettingsError
from ideas_pipeline.fit.files import read_file
from ideas_pipeline.fit.openapi import read_openapi
from ideas_pipeline.fit.recorded import address_of
from ideas_pipeline_tests.contract.test_load import ALIAS_BOMB
from ideas_pipeline_tests.fit.evidence import entry, fitted_from, har, values
from ideas_pipeline_tests.fit.measuring import record_visit, score
from ideas_pipeline_tests.fit.random_apis import RandomSimulator, random_api

CURL = """\
# The login, then what the browser does.
curl -X POST 'https://ideas.example.com/v2/oauth/code' -d 'client_id=abc' --data-urlencode 'client_secret=s3cr3t-value'
curl https://ideas.example.com/v2/oauth/token --json '{"code": "C0DE-SECRET", "client_id": "abc", "client_secret": "x"}'
$ curl -H 'X-Crowd-Session: t0k3n-in-the-header' \\
    "https://ideas.example.com/v2/quests?pg=0&page_size=50"
curl 'https://ideas.example.com/v2/quests/17/sparks?pg=0&page_size=50' -H 'X-Crowd-Session: t0k3n-in-the-header'
curl --url https://ideas.example.com/v2/sparks/4711/comments -H 'X-Crowd-Session: t0k3n-in-the-header' --compressed
"""
SCHEMAS: dict[str, Any] = {
    "Person": {"type": "object", "properties": {"uid": {"type": "integer"}, "nickname": {"type": "string"}}},
    "Entry": {
        "type": "object",
        "properties": {
            "postId": {"type": "integer"},
            "subject": {"type": "string"},
            "message": {"type": "string"},
            "creator": {"$ref": "#/components/schemas/Person"},
            "submitted_on": {"type": "string", "format": "date-time"},
            "num_comments": {"type": "integer"},
            "keywords": {"type": "array", "items": {"type": "string"}},
        },
    },
    "Entries": {
        "type": "object",
        "properties": {
            "result": {"type": "array", "items": {"$ref": "#/components/schemas/Entry"}},
            "totalCount": {"type": "integer"},
        },
    },
}
OPENAPI = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://ideas.example.com/v2"}],
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Token"}},
    },
    "paths": {
        "/boards/{boardId}/entries": {
            "parameters": [{"name": "boardId", "in": "path", "schema": {"type": "integer"}}],
            "get": {
                "parameters": [
                    {"name": "offset", "in": "query", "schema": {"type": "integer", "default": 0}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 25}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Entries"}}}}
                },
            },
            "post": {"responses": {"201": {"description": "creates one"}}},
        },
    },
}
SWAGGER = """\
swagger: "2.0"
host: ideas.example.com
basePath: /v2
schemes: [https]
paths:
  /members:
    get:
      parameters:
        - {name: page, in: query, type: integer, minimum: 1}
        - {name: per_page, in: query, type: integer}
      responses:
        200:
          schema:
            type: array
            items: {$ref: "#/definitions/Member"}
          headers: {X-Total-Count: {type: integer}}
definitions:
  Member:
    type: object
    properties:
      memberId: {type: string}
      screenName: {type: string}
      registered_at: {type: string, format: date-time}
"""


@pytest.mark.parametrize("seed", [4, 11, 16])
def test_a_har_of_one_visit_shows_all_but_the_renewal_of_the_token(seed: int, tmp_path: Path) -> None:
    api = random_api(seed)
    with RandomSimulator(api) as simulator:
        file = record_visit(simulator, tmp_path)
        draft = fitted_from(file, base_url=simulator.base_url)
    wrong = score(api, draft.contract).wrong
    unseen = ("auth.refresh.", "auth.validate.", "timezone")
    assert [p for p in sorted(wrong) if not p.startswith(unseen) and not p.endswith(("_parameter", "style"))] == []


def test_curl_lines_show_login_header_paths_and_paging(tmp_path: Path) -> None:
    file = tmp_path / "requests.txt"
    file.write_text(CURL)
    assert address_of(read_file(file), None) == "https://ideas.example.com/v2/"
    draft = fitted_from(file)
    shown = values(draft)
    assert {
        "auth.code.path": "oauth/code",
        "auth.token.path": "oauth/token",
        "auth.token.send_as": "json",
        "auth.token.fields.code": "{auth_code}",
        "auth.header.name": "X-Crowd-Session",
        "auth.header.format": "{access_token}",
        "streams.challenges.path": "quests",
        "streams.ideas.path": "quests/{challenge_id}/sparks",
        "streams.comments.path": "sparks/{idea_id}/comments",
        "streams.ideas.paging.page_parameter": "pg",
        "streams.ideas.paging.size_parameter": "page_size",
        "streams.ideas.paging.first": 0,
    }.items() <= shown.items()
    everything = json.dumps(shown) + " ".join(line.reason for line in draft.lines.values())
    assert [s for s in ("s3cr3t", "C0DE-SECRET", "t0k3n", "abc") if s in everything] == []


def test_an_openapi_document_shows_paths_paging_and_fields(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(OPENAPI))
    shown = values(fitted_from(file))
    assert {
        "auth.header.name": "X-Api-Token",
        "auth.header.format": "{access_token}",
        "streams.ideas.path": "boards/{challenge_id}/entries",
        "streams.ideas.records": "result",
        "streams.ideas.paging.style": "offset",
        "streams.ideas.paging.size_parameter": "limit",
        "streams.ideas.paging.total": {"body": "totalCount"},
        "streams.ideas.fields.id": "postId",
        "streams.ideas.fields.title": "subject",
        "streams.ideas.fields.body": "message",
        "streams.ideas.fields.author_id": {"paths": "creator.uid"},
        "streams.ideas.fields.comment_count": "num_comments",
        "streams.ideas.embedded.idea_tags.paths": "keywords",
    }.items() <= shown.items()
    assert "streams.ideas.method" not in shown


def test_a_swagger_document_in_yaml_shows_the_same(tmp_path: Path) -> None:
    file = tmp_path / "swagger.yaml"
    file.write_text(SWAGGER)
    shown = values(fitted_from(file))
    assert {
        "streams.users.path": "members",
        "streams.users.records": "@body",
        "streams.users.fields.id": "memberId",
        "streams.users.fields.display_name": "screenName",
        "streams.users.paging.total": {"header": "X-Total-Count"},
    }.items() <= shown.items()


@pytest.mark.parametrize("broken", [None, [], "text", 7, {"$ref": "#/nowhere"}])
def test_an_openapi_document_with_gaps_shows_the_rest(broken: Any, tmp_path: Path) -> None:
    def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for name, below in inside:
            yield (*at, name)
            yield from places(below, (*at, name))

    for *way, last in places(OPENAPI):
        document = deepcopy(OPENAPI)
        at: Any = document
        for step in way:
            at = at[step]
        at[last] = broken
        read_openapi(document, "openapi.json")


def test_schemas_that_refer_to_each_other_are_read_once_each(tmp_path: Path) -> None:
    names = [f"S{n}" for n in range(40)]
    refs = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    own = {"id": {"type": "integer"}, "title": {"type": "string"}}
    schemas = {name: {"type": "object", "properties": own | refs} for name in names}
    body = {"application/json": {"schema": {"type": "array", "items": refs["S0"]}}}
    paths = {"/ideas": {"get": {"responses": {"200": {"content": body}}}}}
    [ideas] = read_openapi({"openapi": "3.0.0", "paths": paths, "components": {"schemas": schemas}}, "openapi.json")
    assert isinstance(ideas.body, list)
    [idea] = ideas.body
    assert (idea["id"], idea["title"], idea["S0"], idea["S1"]["id"]) == (1, "text", None, 1)


def test_a_schema_that_is_cut_at_one_place_is_complete_at_another() -> None:
    person = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
    ref = {"$ref": "#/components/schemas/Idea"}
    idea = {"type": "object", "properties": {"id": {"type": "integer"}, "author": person}}
    deep: dict[str, Any] = ref
    for _ in range(6):
        deep = {"type": "object", "properties": {"of": deep}}
    answer = {"type": "object", "properties": {"about": deep, "data": {"type": "array", "items": ref}}}
    content = {"application/json": {"schema": answer}}
    paths = {"/ideas": {"get": {"responses": {"200": {"content": content}}}}}
    [ideas] = read_openapi({"openapi": "3.0.0", "paths": paths, "components": {"schemas": {"Idea": idea}}}, "a.json")
    assert isinstance(ideas.body, dict)
    assert ideas.body["data"] == [{"id": 1, "author": {"id": 1, "name": "text"}}]


def test_saved_answers_are_assigned_by_their_names_or_their_records(tmp_path: Path) -> None:
    comments = [
        {"commentId": n, "text": f"Text {n}", "createdBy": n % 3, "date_created": "2026-01-01T10:00:00Z"}
        for n in range(12)
    ]
    (tmp_path / "comments.json").write_text(json.dumps({"rows": comments}))
    votes = [
        {"voteId": n, "vote_type": "stars", "rating": n % 5, "voter_id": n, "voted_on": "2026-01-01T10:00:00Z"}
        for n in range(12)
    ]
    (tmp_path / "answer.json").write_text(json.dumps(votes))
    shown = values(fitted_from(tmp_path / "comments.json", tmp_path / "answer.json"))
    assert shown["streams.comments.records"] == "rows"
    assert shown["streams.comments.fields.id"] == "commentId"
    assert shown["streams.votes.records"] == "@body"
    assert shown["streams.votes.fields.value"] == "rating"
    assert shown["streams.votes.fields.user_id"] == {"paths": "voter_id"}


def test_one_list_for_all_parents_is_read_without_a_parent(tmp_path: Path) -> None:
    ideas = [{"id": n, "challenge": {"id": n % 4}, "title": f"Idea {n}"} for n in range(12)]
    visit = [
        entry("https://api.example.com/ideas?page=1", {"data": ideas}),
        entry("https://api.example.com/comments?idea_id=7", {"data": [{"id": 1, "body": "Yes"}]}),
    ]
    draft = fitted_from(har(tmp_path, *visit))
    shown = values(draft)
    assert shown["streams.ideas.each"] is None
    assert draft.contract.streams["ideas"].fields["challenge_id"].paths == ("challenge.id",)
    assert shown["streams.comments.path"] == "comments?idea_id={idea_id}"


def test_the_names_of_headers_are_not_case_sensitive(tmp_path: Path) -> None:
    """HTTP/2 has them in lower case (RFC 9113 §8.2.1)."""
    url = "https://api.example.com/v2/users?per_page=5"
    people = [{"id": n, "display_name": f"Person {n}"} for n in range(5)]
    answer = {"link": f'<{url}&page=2>; rel="next"', "x_total_count": "12"}
    shown = values(fitted_from(har(tmp_path, entry(url, people, headers={"x-api-key": "abcdef"}, **answer))))
    assert shown["streams.users.paging.style"] == "next_link"
    assert shown["streams.users.paging.total"] == {"header": "x-total-count"}
    assert shown["auth.header.name"] == "x-api-key"


def test_a_parameter_named_code_alone_is_not_a_login(tmp_path: Path) -> None:
    base = "https://api.example.com/v2"
    language = entry(f"{base}/i18n", {"token": "abcdefgh"}, posted={"code": "en-GB"})
    lists = entry(f"{base}/ideas", {"data": [{"id": 1}]})
    assert "auth.token.path" not in values(fitted_from(har(tmp_path, language, lists)))
    code = entry(f"{base}/login", {"auth_code": "abcdef123"}, posted={"client_id": "x", "client_secret": "y"})
    token = entry(f"{base}/exchange", {"token": "abcdefgh"}, posted={"code": "abcdef123"})
    assert values(fitted_from(har(tmp_path, language, code, token, lists)))["auth.token.path"] == "exchange"


def test_a_login_that_was_refused_with_status_200_shows_nothing(tmp_path: Path) -> None:
    base, client = "https://api.example.com/v2", {"client_id": "x", "client_secret": "y"}
    refused = entry(f"{base}/login", {"success": False, "msg": "invalid-request"}, posted=client)
    code = entry(f"{base}/auth/code", {"auth_code": "abcdef123"}, posted=client)
    lists = entry(f"{base}/ideas", {"data": [{"id": 1}]})
    shown = values(fitted_from(har(tmp_path, refused, code, lists)))
    assert [place for place in shown if place.startswith("auth.code")] == ["auth.code.send_as"]


def test_requests_beside_the_address_are_left_out(tmp_path: Path) -> None:
    base = "https://api.example.com"
    old = entry(f"{base}/v1/ideas", {"rows": [{"id": n, "title": f"Idea {n}"} for n in range(12)]})
    new = entry(f"{base}/v2/users", {"people": [{"id": n, "display_name": f"P {n}"} for n in range(12)]})
    shown = values(fitted_from(har(tmp_path, old, new), base_url=f"{base}/v2/"))
    assert shown["streams.users.records"] == "people"
    assert not [place for place in shown if place.startswith("streams.ideas")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"openapi: 3.0.0\npaths:\n{ALIAS_BOMB}", "its aliases (*name) repeat its values far too often"),
        ("openapi: &a {x: *a}\n", "its aliases (*name) repeat its values far too often"),
        ("openapi: " + "[" * 200_000, "it nests too deeply, or is too large for YAML: convert it to JSON"),
        ("swagger: [" + "1," * 300_000 + "]", "it nests too deeply, or is too large for YAML: convert it to JSON"),
        ("[" * 200_000, "its contents are neither JSON, nor YAML"),
        ("canary:$6$canary:19000:0:99999:7:::\n", "its contents are neither JSON, nor YAML"),
    ],
)
def test_a_file_that_would_take_the_memory_or_is_another_one_is_refused_and_not_quoted(
    text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_file(tmp_path / "file")
    assert f"{tmp_path / 'file'} shows nothing of the API: {why}" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_pipe_a_device_and_a_huge_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 2**40)
    for file in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SettingsError, match=f"{file} cannot be read: it is not a regular file"):
            read_file(file)
    with pytest.raises(SettingsError, match=r"it has more than 200 MB\. Export only the requests to the API"):
        read_file(tmp_path / "huge")
