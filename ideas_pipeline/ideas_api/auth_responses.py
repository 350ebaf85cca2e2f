"""Read the responses of the auth flow, and describe those that cannot be used."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any

from ideas_pipeline.contract.auth import AuthRequest
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import AuthenticationError, TokenRefused
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.ideas_api.responses import Response, http_date

# A token is renewed this long before it expires, so that it does not expire during a request.
_SKEW_SECONDS = 30.0
_SKEW_SHARE = 0.1
_MOST_NAMES = 20
# Longer names, or names with digits, may be ids or tokens.
_NAME = re.compile(r"[A-Za-z@_$-]{1,40}")
_NO_SUCH_ROUTE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE)


def value_at(response: Response, paths: tuple[str, ...]) -> Any:
    """The first value at the contract's paths that is present and not null; None if there is none."""
    for path in paths:
        if path == "@body":
            return response.body if isinstance(response.body, str) else response.text.strip()
        value = present(response.body, (path,))
        if value is not MISSING and value is not None:
            return value
    return None


def is_yes(value: Any) -> bool:
    """Whether a value such as true, 1 or "yes" means yes."""
    return str(value).strip().lower() in ("true", "1", "yes", "valid", "ok")


def token_at(response: Response, route: str, name: str, paths: tuple[str, ...]) -> str:
    """A token in the response to the request ``auth.<route>`` of the contract.

    Args:
        response: the response.
        route: the request's name in the contract, for error messages.
        name: the value's name in the contract, for error messages.
        paths: where the value is.

    Raises:
        AuthenticationError: the response has no token. It names the line of the contract.
    """
    value = value_at(response, paths)
    line = f"auth.{route}.{name}"
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise AuthenticationError(
            f"the response to the {route} request has no {name.replace('_', ' ')}",
            status=response.status,
            hint=f"Correct {line} in the contract: it says that the value is at {' or '.join(paths)}, and "
            f"{held(response.body, response.text)}.",
        )
    token = str(value)
    if not _is_token(token):
        raise AuthenticationError(
            f"the {name.replace('_', ' ')} in the response to the {route} request is not a token",
            status=response.status,
            hint=f"Correct {line} in the contract: it leads to a text that no HTTP header can carry.",
        )
    return token


def refresh_token_of(response: Response, paths: tuple[str, ...]) -> str:
    """The refresh token in a response; empty if there is none that could be sent."""
    value = value_at(response, paths)
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    return str(value) if _is_token(str(value)) else ""


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable()


def held(body: Json, text: str) -> str:
    """Describe an auth response by the names and kinds of its values, never the values.

    Args:
        body: its JSON; None if it has none.
        text: its body as text.
    """
    if body is None:
        return "the response holds text that is not JSON" if text.strip() else "the response is empty"
    kinds = [f"{path} ({kind})" for path, kind in islice(_kinds(body, ""), _MOST_NAMES)]
    return f"the response holds {', '.join(kinds)}" if kinds else "the response holds an empty map or list"


def _kinds(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """Each plain value's dotted path, and its kind. A name that looks like a value is not repeated."""
    if isinstance(value, dict):
        for name, below in value.items():
            shown = name if _NAME.fullmatch(name) else "*"
            yield from _kinds(below, f"{path}.{shown}" if path else shown)
    elif isinstance(value, list):
        yield path or "@body", f"a list of {len(value)}"
    elif isinstance(value, bool):
        yield path or "@body", "true or false"
    elif isinstance(value, str):
        yield path or "@body", "empty text" if not value else f"a text of {len(value)} characters"
    else:
        yield path or "@body", "null" if value is None else "a number"


def expiry(response: Response, paths: tuple[str, ...]) -> float | None:
    """The moment to renew a token, shortly before it expires, in seconds since 1970; None if unknown."""
    try:
        seconds = float(value_at(response, paths))
    except (TypeError, ValueError, OverflowError):
        return None
    # A token that has expired already is useless: some APIs send 0 for one that does not expire.
    if not (math.isfinite(seconds) and seconds > 0):
        return None
    return response.received_at + seconds - min(_SKEW_SECONDS, seconds * _SKEW_SHARE)


def refuse_missing_route(response: Response, route: str, request: AuthRequest) -> None:
    """Refuse a response that says that the API does not know a route of the contract.

    Args:
        response: the response.
        route: the request's name in the contract, for the error message.
        request: the request as the contract describes it.

    Raises:
        AuthenticationError: the status is 404, 405 or 410.
    """
    if response.status in _NO_SUCH_ROUTE:
        raise AuthenticationError(
            f"the API has no {request.method} {request.path}",
            status=response.status,
            hint=f"Check the base URL (the right region? /v2/ at its end?) and auth.{route} in the contract "
            "(path and method).",
        )


def credentials_error(status: int, *, worked_before: bool) -> AuthenticationError:
    """The error for a refused client id and secret."""
    if worked_before:
        return AuthenticationError(
            "the API refuses a client id and secret that it accepted before",
            status=status,
            hint="The API client was probably revoked, or a new password was generated for it: look at the API page of "
            "the profile in the community, then set IDEAS_CLIENT_SECRET again.",
        )
    return AuthenticationError(
        "the API refuses the client id and secret",
        status=status,
        hint="Compare IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET with the API page of the profile in the community, and "
        "IDEAS_API_REGION with the community's region.",
    )


def new_token_error(response: Response) -> TokenRefused:
    """The error for a new token that the API refuses with ``response``, although it has accepted none before."""
    minutes = _minutes_ahead(response)
    if abs(minutes) > 5:
        return TokenRefused(
            f"a new access token was refused at once, and this machine's clock is {abs(minutes):.0f} minutes "
            f"{'ahead of' if minutes > 0 else 'behind'} the API's",
            status=response.status,
            hint="Set the clock, then try again.",
        )
    return TokenRefused(
        "a new access token was refused at once",
        status=response.status,
        hint="Compare auth.header in the contract (its name and format) with the API's reference.",
    )


def _minutes_ahead(response: Response) -> float:
    """Minutes by which this machine's clock is ahead of the API's; 0 if the API sends no Date header."""
    theirs = http_date(response.headers.get("Date"))
    return 0.0 if theirs is None else (response.received_at - theirs) / 60
