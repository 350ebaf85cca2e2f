"""An HTTP response, and how its status, redirect, Retry-After header and JSON body are read."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.utils

from ideas_pipeline.errors import NOT_FOUND, ContractError, LoginPage
from ideas_pipeline.ideas_api.http_errors import RetryableError, nested_too_deeply, refusal
from ideas_pipeline.ideas_api.json_body import NestedTooDeeply, Parsed, parse
from ideas_pipeline.ideas_api.urls import same_host

# The path of a login page: /login, /users/sign_in, /login.php, /sso/start. /ideas/7-login-fails is not one.
_LOGIN = re.compile(r"/(?:(?:log|sign)[-_]?(?:in|on)|sso|authenticate)(?:\.[a-z]+|/[a-z]*)?$", re.IGNORECASE)
# A larger number in Retry-After is a Unix time: 10^9 seconds are 31 years, and as a Unix time September 2001.
_SMALLEST_UNIX_TIME = 1e9
_MILLISECONDS = 1e11  # As a Unix time in seconds, this would be the year 5138.
# A pause with units, as Go writes durations: 60s, 1m30s, 500ms; also in words. Each unit is read in one way only: with
# two, `ms` and `m` with a letter more, a long text of them would take for ever.
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?\s*(?:ms|h|m(?!s)|s)[a-z]*\s*)+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# A longer pause is a mistake of the server.
LONGEST_PAUSE = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    Attributes:
        status: the HTTP status.
        headers: their names are not case-sensitive.
        body: the parsed JSON; None if there is none.
        text: the whole body as text; only if the request was ``lenient``.
        content: the body's bytes; only if the request was not ``lenient``.
        replaced: how many characters of the body were broken, and became U+FFFD.
        url: the URL that was requested last, after redirects.
        requests: how many requests were sent for it, retries and redirects included.
        received_at: seconds since 1970, by this machine's clock.
        refuses_token: whether it says that the token is missing, unknown or expired, with whatever status.
        states_error: whether a good status comes with a body that calls itself an error.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    text: str = field(repr=False)
    url: str = field(repr=False)
    requests: int
    received_at: float
    content: bytes = field(repr=False, default=b"")
    refuses_token: bool = False
    states_error: bool = False
    replaced: int = 0

    def found(self) -> Response:
        """Return self, or raise NotFound for a 404 or 410."""
        if self.status in NOT_FOUND:
            raise refusal(self.status, "GET", urlsplit(self.url).path).after(self.requests)
        return self


def json_of(response: requests.Response, content: bytes) -> Parsed:
    """Parse the body of a 2xx response; None for 204 No Content.

    Raises:
        RetryableError: it is not JSON.
        UnexpectedResponse: it is nested too deeply.
    """
    if response.status_code == HTTPStatus.NO_CONTENT:
        return Parsed(None)
    try:
        return parse(content, response.headers.get("Content-Type", ""))
    except NestedTooDeeply:
        too_deep = True
    except ValueError:
        too_deep = False
    # Not within the except clause: that exception contains the body.
    raise nested_too_deeply(response.status_code) if too_deep else _not_json(response, content)


def json_or_none(content: bytes, content_type: str) -> Parsed:
    """Parse a body; None if it is not JSON."""
    try:
        return parse(content, content_type)
    except ValueError:
        return Parsed(None)


def is_web_page(content: bytes) -> bool:
    """Whether a body is HTML, as login and maintenance pages are."""
    return content[:200].lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def redirect_target(response: requests.Response, method: str, url: str, path: str) -> str:
    """The URL to which a redirect leads.

    Args:
        response: the redirect.
        method: the method of the request.
        url: the URL of the request.
        path: its path, as errors may show it.

    Raises:
        LoginPage: the redirect leads from a list to a login.
        ContractError: the redirect leads nowhere or to another host, or the request is not a GET.
    """
    status = response.status_code
    hint = "Check the base URL (the right region?) and the path in the contract."
    if method != "GET":
        raise ContractError(f"the API redirects {method} {path}", status=status, hint=hint)
    try:
        location = urljoin(url, response.headers["Location"])
        target = same_host(location, url)
    except (KeyError, ValueError):
        raise ContractError(
            f"the API redirects {path} without a valid Location header", status=status, hint=hint
        ) from None
    parts = urlsplit(location)
    if _LOGIN.search(parts.path) and not _LOGIN.search(path):
        raise LoginPage(
            f"the API redirects {path} to a login page of {parts.scheme}://{parts.hostname}", status=status, hint=hint
        )
    if target is None:
        raise ContractError(
            f"the API redirects {path} to {parts.scheme}://{parts.hostname}, and the token is not sent there",
            status=status,
            hint=hint,
        )
    return requests.utils.requote_uri(target)


def retry_after(value: str | None, now: float) -> float | None:
    """Parse a Retry-After header (RFC 9110 §10.2.3), or the Unix time or the duration that some APIs send in it.

    urllib3's parser is not used: it knows no Unix time and no fractions, and reads a date by this machine's clock.

    Args:
        value: the header's value; None if there is none.
        now: the server's time, in seconds since 1970.

    Returns:
        Seconds from ``now``, at most a day; None if the header is missing or invalid.
    """
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        pause = _duration(value.strip().lower())
        moment = http_date(value) if pause is None else now + pause
    else:
        number = number / 1000 if number > _MILLISECONDS else number
        moment = number if number > _SMALLEST_UNIX_TIME else now + number
    if moment is None or not math.isfinite(moment):
        return None
    return min(max(moment - now, 0.0), LONGEST_PAUSE)


def _duration(text: str) -> float | None:
    """The seconds of a duration with units; None if the text is none."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)\s*(ms|h|m|s)", text))


def http_date(value: str | None) -> float | None:
    """Seconds since 1970 of a date such as ``Sun, 06 Nov 1994 08:49:37 GMT``; None for anything else."""
    try:
        return parsedate_to_datetime(value or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _not_json(response: requests.Response, content: bytes) -> RetryableError:
    status = response.status_code
    if not content:
        return RetryableError("the body is empty", status=status)
    if is_web_page(content) or response.headers.get("Content-Type", "").startswith("text/html"):
        hint = "A login or maintenance page? Open the API's address in a browser."
        return RetryableError("the body is a web page, not JSON", status=status, hint=hint, web_page=True)
    return RetryableError("the body is not valid JSON or was truncated", status=status)
