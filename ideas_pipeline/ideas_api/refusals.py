"""Classify responses without records: a refused token, a rate limit, or another failure.

One status does not say it: rate limits come as 429, as 403 (GitHub, Google) and as 200 with an error, and so do expired
tokens as 401, 403, 400 and 200. So status, headers and body are read together.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from ideas_pipeline.contract.auth import ExpiredToken
from ideas_pipeline.ideas_api.error_bodies import RATE_STATUSES, TOKEN_STATUSES, StatedError
from ideas_pipeline.ideas_api.http_errors import RetryableError
from ideas_pipeline.ideas_api.responses import LONGEST_PAUSE, http_date, retry_after

# A Retry-After with these says when the page may exist, if anything: it is not a rate limit.
_NO_RATE_LIMIT = frozenset((401, 404, 405, 410))
_REMAINING = (
    "X-RateLimit-Remaining",
    "X-Rate-Limit-Remaining",
    "RateLimit-Remaining",
    "X-RateLimit-Requests-Remaining",
)
_RESETS = ("X-RateLimit-Reset-After", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "X-Retry-After")
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ and the older form with names written out.
_STRUCTURED = re.compile(r"\b(r|remaining|t|reset)\s*=\s*(\d{1,18})")
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class RateLimitSign:
    """A sign that the API wants fewer requests.

    Attributes:
        pause: the pause that it asks for, in seconds; None if it names none.
        certain: whether the API says so in words or by 429. A header alone can also accompany a refusal of rights.
    """

    pause: float | None
    certain: bool


def refuses_token(
    status: int, headers: Mapping[str, str], stated: StatedError, content: bytes, expired: ExpiredToken
) -> bool:
    """Whether the response says that the token is missing, unknown or expired.

    Args:
        status: the HTTP status.
        headers: the response's headers.
        stated: the error that its body states.
        content: the body, in which the words of the contract are looked for.
        expired: what the contract says about expired tokens.
    """
    if status in TOKEN_STATUSES or status in expired.statuses:
        return True
    challenge = headers.get("WWW-Authenticate", "").lower()
    if status >= 400 and "invalid_token" in challenge:  # RFC 6750 §3.1
        return True
    if stated.has_records:
        return False
    if expired.words:
        text = content.decode("utf-8", "replace").lower()
        if any(word.lower() in text for word in expired.words):
            return True
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return False
    return stated.about_token and not stated.about_rate(loosely=False)


def rate_limit_sign(status: int, headers: Mapping[str, str], stated: StatedError) -> RateLimitSign | None:
    """The sign of a rate limit in a response; None if it has none.

    Args:
        status: the HTTP status.
        headers: the response's headers.
        stated: the error that its body states.
    """
    if status in _NO_RATE_LIMIT or stated.has_records:
        return None
    # A date in Retry-After is read by the clock of the server, which may differ from ours.
    now = http_date(headers.get("Date")) or time.time()
    asked = retry_after(headers.get("Retry-After"), now)
    if status in RATE_STATUSES or stated.about_rate(loosely=400 <= status < 500):
        pause = next((p for p in (asked, stated.retry_after, _until_reset(headers, now)) if p is not None), None)
        return RateLimitSign(pause, certain=True)
    if status >= 500:
        return None
    if asked is not None and (status >= 400 or stated.marked):
        return RateLimitSign(asked, certain=False)
    if status == HTTPStatus.FORBIDDEN and _remaining(headers) == 0:
        return RateLimitSign(_until_reset(headers, now), certain=False)
    return None


def retryable_status(status: int, headers: Mapping[str, str]) -> RetryableError:
    """The error for a 5xx."""
    now = http_date(headers.get("Date")) or time.time()
    asked = retry_after(headers.get("Retry-After"), now)
    return RetryableError(phrase(status), status=status, retry_after=asked)


def phrase(status: int) -> str:
    """The standard phrase of a status: ``Service Unavailable``."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "server error"


def _remaining(headers: Mapping[str, str]) -> int | None:
    """How many requests the API allows until the reset; None if it does not say."""
    for name in _REMAINING:
        value = headers.get(name, "").strip()
        if value.isdecimal() and len(value) <= _MOST_DIGITS:
            return int(value)
    return _structured(headers, "r", "remaining")


def _until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until requests are allowed again, by the rate limit headers; None if they do not say."""
    if _remaining(headers):
        return None
    for name in _RESETS:
        if name in headers:
            return retry_after(headers[name], now)
    seconds = _structured(headers, "t", "reset")
    return None if seconds is None else min(float(seconds), LONGEST_PAUSE)


def _structured(headers: Mapping[str, str], *names: str) -> int | None:
    """A value of the header ``RateLimit``: ``"default";r=0;t=30`` or ``limit=100, remaining=0, reset=30``."""
    for name, value in _STRUCTURED.findall(headers.get("RateLimit", "")):
        if name in names:
            return int(value)
    return None
