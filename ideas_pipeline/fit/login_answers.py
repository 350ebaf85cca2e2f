"""Find the values of a login in its responses: an auth code, tokens, a lifetime, whether a token is valid."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ideas_pipeline.contract.types import Json, Paths
from ideas_pipeline.fit.evidence import Exchange, leaves
from ideas_pipeline.ideas_api.auth_responses import is_yes
from ideas_pipeline.probe.field_names import snake

_TOKEN = re.compile(r"[\w.~+/=:|-]{6,}")
_WORDS = {
    "auth_code": ("auth_code", "authcode", "authorization_code", "authorizationcode", "code"),
    "access_token": ("access_token", "accesstoken", "access", "bearer", "jwt", "token", "api_token", "session"),
    "refresh_token": ("refresh_token", "refreshtoken", "refresh", "renew", "renewal"),
    "expires_in": ("expires_in", "expiresin", "expires", "ttl", "lifetime", "expiry", "valid_for", "seconds"),
    "valid": ("valid", "is_valid", "isvalid", "active", "ok", "success", "authenticated"),
}
_NOT_A_CODE = ("status", "error", "message", "type", "state")


def token_places(answer: Exchange) -> dict[str, str]:
    """The places of an access token, a refresh token and a lifetime in a response."""
    found: dict[str, str] = {}
    for name in ("refresh_token", "expires_in", "access_token"):
        taken = set(found.values())
        place = value_place(answer, name, taken)
        if place is not None:
            found[name] = place
    return found


def value_place(answer: Exchange, name: str, taken: Iterable[str] = ()) -> str | None:
    """The place of a value of the login in a response, by its name and kind; None if none is likely.

    Args:
        answer: the response.
        name: the value's name in the contract: ``auth_code``, ``access_token``, ``refresh_token``, ``expires_in`` or
            ``valid``.
        taken: places of other values.
    """
    if not isinstance(answer.body, dict):
        is_bare = name in ("auth_code", "access_token") and _TOKEN.fullmatch(_bare(answer))
        return "@body" if is_bare else None
    found = {path: value for path, value in leaves(answer.body) if path not in taken and _has_kind(name, value)}
    scored = sorted((_rank(name, path), path.count("."), path) for path in found if _rank(name, path) is not None)
    if scored:
        return scored[0][2]
    only = [path for path in found if not set(_words(path)) & set(_NOT_A_CODE)]
    return only[0] if name in ("auth_code", "access_token") and len(only) == 1 else None


def value_at(answer: Exchange, place: str) -> str:
    """The value at a place of a response, as text."""
    if place == "@body":
        return _bare(answer)
    return str(dict(leaves(answer.body)).get(place, ""))


def _bare(answer: Exchange) -> str:
    return answer.body if isinstance(answer.body, str) else answer.text.strip().strip('"')


def _words(path: str) -> list[str]:
    """The words of a path, from its last name: ``data.accessToken`` is ``access_token``, ``access``, ``token`` …"""
    return [word for part in map(snake, path.split(".")) for word in (part, *part.split("_"))]


def _rank(name: str, path: str) -> int | None:
    """The position of a path's name among the usual names of a value, the best first; None if it is not among them."""
    last = snake(path.rsplit(".", 1)[-1])
    words = _WORDS[name]
    if name != "refresh_token" and "refresh" in _words(path):
        return None
    if last in words:
        return words.index(last)
    parts = _words(path)
    ranks = [words.index(word) + len(words) for word in words if word in parts]
    if name in ("auth_code", "valid", "expires_in") and set(parts) & {"error", "status", "message"}:
        return None
    return min(ranks, default=None)


def _has_kind(name: str, value: Json) -> bool:
    if name == "valid":
        return isinstance(value, bool) or (isinstance(value, str | int) and is_yes(value))
    if name == "expires_in":
        return not isinstance(value, bool) and str(value).isdecimal() and 0 < int(str(value)) < 10**9
    is_text = isinstance(value, str) or (name == "auth_code" and isinstance(value, int) and not isinstance(value, bool))
    return is_text and bool(_TOKEN.fullmatch(str(value)))


def place_in_force(answer: Exchange, paths: Paths) -> str | None:
    """The first of the contract's places that has a value in the response."""
    if not isinstance(answer.body, dict):
        return "@body" if "@body" in paths else None
    there = dict(leaves(answer.body))
    return next((path for path in paths if there.get(path) is not None or path == "@body"), None)


def token_type(answer: Exchange) -> str | None:
    """The kind of token that a login response names, such as Bearer; None if it names none."""
    found = [v for path, v in leaves(answer.body) if path.rsplit(".", 1)[-1].lower() in ("token_type", "tokentype")]
    return str(found[0]) if found and re.fullmatch(r"[A-Za-z]{3,12}", str(found[0])) else None


def challenge_scheme(answer: Exchange) -> str | None:
    """The scheme that a 401 asks for in WWW-Authenticate (RFC 9110 §11.6.1); None if it names none."""
    asked = answer.answer_headers.get("WWW-Authenticate", "")
    word = asked.split(" ", 1)[0].strip(",")
    return word if re.fullmatch(r"[A-Za-z]{3,12}", word) else None
