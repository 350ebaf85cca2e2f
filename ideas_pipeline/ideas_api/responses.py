"""What an answer means, by its status and its body."""

from __future__ import annotations

import codecs
import json
import math
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests
import requests.utils

from ideas_pipeline.errors import ContractError
from ideas_pipeline.ideas_api.http_errors import Again, refusal
from ideas_pipeline.ideas_api.urls import origin
from ideas_pipeline.text import clean_json


def json_of(response: requests.Response, content: bytes) -> Any:
    """The JSON of a good answer; None where it has no content to give. Raises Again for anything else."""
    if response.status_code == HTTPStatus.NO_CONTENT:
        return None
    try:
        return parse_json(content)
    except ValueError:
        pass
    # Not within the except clause: that exception holds the body.
    raise _no_json(response, content)


def json_or_none(content: bytes) -> Any:
    """The JSON of a body, or None where it is none."""
    try:
        return parse_json(content)
    except ValueError:
        return None


def raise_for(response: requests.Response, method: str, path: str) -> None:
    """Raises what a status other than 2xx and 401 means: Again, AccessDenied, NotFound or RequestRefused."""
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        # Their clock tells what their date means.
        now = http_date(response.headers.get("Date")) or time.time()
        raise Again(
            f"the answer was HTTP {status}",
            status=status,
            retry_after=pause(response.headers.get("Retry-After"), now),
            processed=status != HTTPStatus.TOO_MANY_REQUESTS,
        )
    raise refusal(status, method, path)


def redirect_target(response: requests.Response, method: str, url: str) -> str:
    """Where a redirect of ``url`` leads. Raises ContractError where it must not be followed."""
    status, path = response.status_code, urlsplit(url).path
    hint = "Check the base URL (the right region?) and the path in the contract."
    if method != "GET":
        raise ContractError(f"the API redirects {method} {path}", status=status, hint=hint)
    try:
        target = urljoin(url, response.headers["Location"])
        parts = urlsplit(target)
        same = origin(parts) == origin(urlsplit(url))
    except (KeyError, ValueError):
        raise ContractError(f"the API redirects {path} to nowhere", status=status, hint=hint) from None
    if not same:
        raise ContractError(
            f"the API redirects {path} to {parts.scheme}://{parts.hostname}, and the token is not sent there",
            status=status,
            hint=hint,
        )
    return requests.utils.requote_uri(target)


def _no_json(response: requests.Response, content: bytes) -> Again:
    status = response.status_code
    if not content:
        return Again("the body was empty", status=status)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        hint = "A login or maintenance page? Open the API's address in a browser."
        return Again("the body was a web page, not JSON", status=status, hint=hint)
    return Again("the body was no JSON, or cut short", status=status)


# A number above this is a moment, not a pause: 10^9 seconds are 31 years, and as a Unix time September 2001.
_SMALLEST_UNIX_TIME = 1e9


# A longer pause is a mistake of the server's; whoever waits has given up before.
_LONGEST = 24 * 3600.0


def pause(value: str | None, now: float) -> float | None:
    """Seconds from ``now`` (seconds since 1970) until the moment that a Retry-After header names.

    From 0 to a day. None where there is no header, or it cannot be understood.
    """
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        moment = http_date(value)
        seconds = None if moment is None else moment - now
    elif seconds > _SMALLEST_UNIX_TIME:
        seconds -= now
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST)


def http_date(value: str | None) -> float | None:
    """Seconds since 1970 of a date such as ``Sun, 06 Nov 1994 08:49:37 GMT``; None for anything else."""
    try:
        return parsedate_to_datetime(value or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_json(body: bytes) -> Any:
    """UTF-8 JSON, with or without a byte order mark, as Python values.

    NUL characters and lone surrogates become U+FFFD. NaN and Infinity become None: they are no values.
    Integers beyond 64 bits become floats. Raises ValueError for anything that is no JSON, or nested too deeply.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            # The standard library reads what orjson refuses: lone surrogates, NaN, numbers out of range.
            text = body.decode("utf-8", "surrogatepass")
            return clean_json(json.loads(text, parse_constant=lambda _: None))
        return clean_json(parsed) if b"\\u0000" in body else parsed
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
