"""What a failed request means, in words, and whether asking again can mend it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import requests.exceptions
import urllib3.exceptions

from ideas_pipeline.errors import (
    AccessDenied,
    IdeasApiError,
    NotFound,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from ideas_pipeline.times import duration


class Again(Exception):
    """An attempt failed in a way that another one can mend.

    ``reason``: in words, without secrets. ``retry_after``: the pause that the API asks for, in seconds.
    ``processed``: whether the API may have acted on the request all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        processed: bool = True,
        hint: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.processed = processed
        self.hint = hint


def connection_failure(error: Exception, host: str) -> Again | Unavailable:
    """What an exception of requests or urllib3 says. Its own text is not used: it holds the whole URL."""
    chain = list(_chain(error))

    def found(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if found(ssl.SSLCertVerificationError):
        return Unavailable(
            f"the certificate of {host} cannot be verified",
            hint="Behind a company proxy, set REQUESTS_CA_BUNDLE to its certificate file; else check the base URL "
            "and this machine's clock.",
        )
    if found(ssl.SSLError, urllib3.exceptions.SSLError) and not found(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return Unavailable(
            f"no encrypted connection to {host} can be made",
            hint="Check the base URL: something answers there, but not with TLS, or not with a version in use today.",
        )
    if found(requests.exceptions.ProxyError):
        return Again("the proxy does not answer", processed=False, hint="Check HTTPS_PROXY and NO_PROXY.")
    if found(urllib3.exceptions.NameResolutionError):
        return Again(
            f"no address is known for the host {host}",
            processed=False,
            hint="Check the region or base URL, and this machine's network.",
        )
    # requests' ConnectTimeout and urllib3's NewConnectionError are both: they come before anything is sent.
    if found(urllib3.exceptions.NewConnectionError):
        return Again(f"{host} accepts no connection", processed=False, hint="Check the base URL and the network.")
    if found(requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        return Again(f"no connection to {host} came about in time", processed=False, hint="Check the network.")
    if found(requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return Again(f"{host} did not answer in time")
    if found(urllib3.exceptions.DecodeError):
        return Again("the compressed body is broken")
    if found(urllib3.exceptions.IncompleteRead):
        return Again("the body was cut short")
    return Again("the connection broke off")


def refusal(status: int, method: str, path: str) -> IdeasApiError:
    """The error for a status that no retry mends."""
    if status == 403:
        return AccessDenied(
            f"this account may not read {path}",
            status=status,
            hint="Ask a community administrator for access, or take the stream out of the contract.",
        )
    if status in (404, 410):
        return NotFound(
            f"there is nothing at {path}",
            status=status,
            hint="It was deleted, is hidden from this account, or the contract's path is wrong.",
        )
    return RequestRefused(
        f"the API does not accept {method} {path}",
        status=status,
        hint="Compare method, path and parameters in the contract with the API's reference; "
        "`ideas-pipeline check` goes through them.",
    )


def unavailable(again: Again, attempts: int) -> Unavailable:
    """The error when asking again did not help, or must not be tried."""
    times = "once" if attempts == 1 else f"{attempts} times"
    return Unavailable(
        f"the API was asked {times} without a proper answer; the last time {again.reason}",
        status=again.status,
        hint=again.hint or "Try again later: what was finished is kept.",
    )


def rate_limited(status: int | None, seconds: float | None, deadline: float) -> RateLimited:
    """The error for a pause that is longer than may be waited, or of unknown length."""
    if seconds is None:
        return RateLimited(
            "the API says again and again that it is asked too often",
            status=status,
            hint="Lower limits.requests_per_second or limits.concurrency in the contract.",
        )
    return RateLimited(
        f"the API asks for a pause of {duration(seconds)}; the contract's limits.deadline allows {deadline:g} s",
        retry_after=seconds,
        status=status,
        hint=_come_back(seconds),
    )


def spent_budget(seconds: float) -> RateLimited:
    """The error when the contract's own rate leaves no request in time."""
    return RateLimited(
        "the contract's own limit of requests is used up",
        retry_after=seconds,
        hint=f"{_come_back(seconds)} The limit is limits.requests_per_hour or requests_per_second in the contract.",
    )


def _come_back(seconds: float) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"Come back after {moment:%Y-%m-%d %H:%M:%S} UTC, in {duration(seconds)}; what was finished is kept."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it wraps, from the outside in."""
    link: object = error
    while isinstance(link, BaseException):
        yield link
        reason = getattr(link, "reason", None)
        wrapped = [arg for arg in link.args if isinstance(arg, BaseException)]
        link = reason if isinstance(reason, BaseException) else next(iter(wrapped), None)
