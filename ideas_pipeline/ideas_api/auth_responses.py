"""What the answers of the auth flow say, and the sentence where one says nothing of use."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ideas_pipeline.contract.auth import AuthRequest
from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.ideas_api.responses import http_date
from ideas_pipeline.ideas_api.transport import Response

# A token is given up this long before it expires, so that no request is under way when it does.
_SKEW_SECONDS = 30.0
_SKEW_SHARE = 0.1
_NO_SUCH_ROUTE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE)


def value_at(response: Response, paths: tuple[str, ...]) -> Any:
    """The first value that is present and not null at the contract's paths; None where there is none."""
    for path in paths:
        if path == "@body":
            return response.body if isinstance(response.body, str) else response.text.strip()
        value = present(response.body, (path,))
        if value is not MISSING and value is not None:
            return value
    return None


def is_yes(value: Any) -> bool:
    """Whether an answer such as true, 1 or "yes" means yes."""
    return str(value).strip().lower() in ("true", "1", "yes", "valid", "ok")


def token_at(response: Response, route: str, name: str, paths: tuple[str, ...]) -> str:
    """A token of the answer. Raises AuthenticationError that names the contract's line."""
    value = value_at(response, paths)
    line = f"auth.{route}.{name}"
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise AuthenticationError(
            f"the answer of the {route} request has no {name.replace('_', ' ')}",
            status=response.status,
            hint=f"Correct {line} in the contract: it says that the value is at {' or '.join(paths)}.",
        )
    token = str(value)
    if not (token.isascii() and token.isprintable()):
        raise AuthenticationError(
            f"what the answer of the {route} request has as its {name.replace('_', ' ')} cannot be a token",
            status=response.status,
            hint=f"Correct {line} in the contract: no HTTP header can carry the text that it leads to.",
        )
    return token


def expiry(response: Response, paths: tuple[str, ...]) -> float | None:
    """Seconds since 1970 from which a token is not used any more, a little before it expires; None where unknown."""
    try:
        seconds = float(value_at(response, paths))
    except (TypeError, ValueError):
        return None
    return response.received_at + seconds - min(_SKEW_SECONDS, seconds * _SKEW_SHARE)


def refuse_missing_route(response: Response, route: str, request: AuthRequest) -> None:
    """Raises AuthenticationError where the API does not know the route of the contract."""
    if response.status in _NO_SUCH_ROUTE:
        raise AuthenticationError(
            f"the API has no {request.method} {request.path}",
            status=response.status,
            hint=f"Check the base URL (the right region? /v2/ at its end?) and auth.{route} in the contract "
            "(path and method).",
        )


def refused_credentials(status: int, *, worked_before: bool) -> AuthenticationError:
    """The error for a refused client id and secret."""
    if worked_before:
        return AuthenticationError(
            "the API refuses a client id and secret that it accepted before",
            status=status,
            hint="The API client was probably revoked, or a new password was generated for it: look at the API page of "
            "the profile in the community, then set IDEAS_CLIENT_SECRET anew.",
        )
    return AuthenticationError(
        "the API refuses the client id and secret",
        status=status,
        hint="Compare IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET with the API page of the profile in the community, and "
        "IDEAS_API_REGION with the community's region.",
    )


def new_token_refused(response: Response, *, others_accepted: bool) -> AuthenticationError:
    """The error where the API answered a call with a brand-new token like this."""
    minutes = _minutes_ahead(response)
    if abs(minutes) > 5:
        return AuthenticationError(
            f"a new access token was refused at once, and this machine's clock is {abs(minutes):.0f} minutes "
            f"{'ahead of' if minutes > 0 else 'behind'} the API's",
            status=response.status,
            hint="Set the clock, then try again.",
        )
    if others_accepted:
        return AuthenticationError(
            "this address refuses an access token that other addresses accept",
            status=response.status,
            hint="This account may lack the right to read it: ask a community administrator.",
        )
    return AuthenticationError(
        "a new access token was refused at once",
        status=response.status,
        hint="Compare auth.header in the contract (its name and format) with the API's reference.",
    )


def _minutes_ahead(response: Response) -> float:
    """By how much this machine's clock is ahead of the API's; 0 where the API does not tell its time."""
    theirs = http_date(response.headers.get("Date"))
    return 0.0 if theirs is None else (response.received_at - theirs) / 60
