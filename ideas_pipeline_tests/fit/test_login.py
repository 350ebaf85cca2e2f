"""Where the values of a login are in its responses."""

from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.login_answers import token_places, value_place


def response(body: Any, text: str = "") -> Exchange:
    return Exchange("the API", "POST", "auth", status=200, body=body, text=text)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"auth_code": "abcdef123"}, "auth_code"),
        ({"status": "success", "data": {"authorizationCode": "abcdef123"}}, "data.authorizationCode"),
        ({"result": {"code": "abcdef123"}, "status_code": "okokok"}, "result.code"),
        ({"value": "abcdef123", "message": "created a code"}, "value"),
        ("abcdef123", "@body"),
        ({"one": "abcdef123", "two": "ghijkl456"}, None),
        ({"status": "sent"}, None),
    ],
)
def test_the_auth_code_is_found_by_its_name_or_as_the_only_text(body: Any, place: str | None) -> None:
    assert value_place(response(body), "auth_code") == place


def test_a_bare_code_in_text_is_the_whole_body() -> None:
    assert value_place(response(None, "abcdef123\n"), "auth_code") == "@body"
    assert value_place(response(None, "<html>please log in</html>"), "auth_code") is None


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (
            {"access_token": "aaaaaaaa", "refresh_token": "bbbbbbbb", "expires_in": 3600, "token_type": "Bearer"},
            {"access_token": "access_token", "refresh_token": "refresh_token", "expires_in": "expires_in"},
        ),
        (
            {"payload": {"jwt": "aaaaaaaa", "renewal": "bbbbbbbb", "ttl": "900"}, "ok": True},
            {"access_token": "payload.jwt", "refresh_token": "payload.renewal", "expires_in": "payload.ttl"},
        ),
        ({"token": "aaaaaaaa", "refreshToken": "bbbbbbbb"}, {"access_token": "token", "refresh_token": "refreshToken"}),
        ({"error": "invalid"}, {}),
    ],
)
def test_tokens_are_found_by_their_names(body: Any, places: dict[str, str]) -> None:
    assert token_places(response(body)) == places
