"""Failed requests in words, and whether a retry can help."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Literal

import requests.exceptions
import urllib3.exceptions

from ideas_pipeline.errors import (
    NOT_FOUND,
    AccessDenied,
    IdeasApiError,
    LoginPage,
    NotFound,
    RateLimited,
    RequestRefused,
    Unavailable,
    UnexpectedResponse,
)
from ideas_pipeline.private_file import remedy
from ideas_pipeline.times import duration


class RetryableError(Exception):
    """One attempt failed in a way that another attempt may not.

    Args:
        reason: what happened, without secrets.
        status: the HTTP status, if there was a response.
        retry_after: the pause that the API asks for, in seconds.
        processed: whether the API may have acted on the request all the same.
        rate_limited: whether the API asks for fewer requests, and whether that is certain; None if it does not ask.
        hint: what to do if every attempt fails, as a sentence.
        web_page: whether a web page came in place of JSON.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        processed: bool = True,
        rate_limited: Literal["certain", "likely"] | None = None,
        hint: str = "",
        web_page: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.processed = processed
        self.rate_limited = rate_limited
        self.hint = hint
        self.web_page = web_page

    def __str__(self) -> str:
        return f"{self.reason} (HTTP {self.status})" if self.status else self.reason


def connection_error(error: Exception, host: str) -> RetryableError | Unavailable:
    """The error for an exception of requests or urllib3, whose own text is not used: it contains the whole URL."""
    chain = list(_chain(error))

    def found(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if found(ssl.SSLCertVerificationError):
        return Unavailable(
            f"the certificate of {host} cannot be verified",
            hint="Behind a company proxy, set REQUESTS_CA_BUNDLE to its certificate file. Otherwise check the base URL "
            "and this machine's clock.",
        )
    if found(ssl.SSLError, urllib3.exceptions.SSLError) and not found(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return Unavailable(
            f"no TLS connection to {host} can be established",
            hint="Check the base URL: what listens there does not speak TLS, or only an outdated version of it.",
        )
    if found(requests.exceptions.ProxyError):
        return RetryableError("the proxy does not respond", processed=False, hint="Check HTTPS_PROXY and NO_PROXY.")
    if found(urllib3.exceptions.NameResolutionError):
        return RetryableError(
            f"the host name {host} cannot be resolved",
            processed=False,
            hint="Check the region or the base URL, and this machine's network.",
        )
    ours = next((e for e in chain if isinstance(e, OSError) and e.errno in (errno.EMFILE, errno.ENFILE)), None)
    if ours:
        reason = f"no connection to {host} can be opened: {ours.strerror}"
        return RetryableError(reason, processed=False, hint=remedy(ours, ""))
    # requests' ConnectTimeout and urllib3's NewConnectionError: nothing was sent yet.
    if found(urllib3.exceptions.NewConnectionError):
        return RetryableError(
            f"{host} refuses connections", processed=False, hint="Check the base URL and this machine's network."
        )
    if found(requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        return RetryableError(f"connecting to {host} timed out", processed=False, hint="Check this machine's network.")
    if found(requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return RetryableError(f"{host} did not respond in time")
    if found(urllib3.exceptions.DecodeError):
        return RetryableError("the compressed body is corrupt")
    if found(urllib3.exceptions.IncompleteRead):
        return RetryableError("the body was truncated")
    return RetryableError("the connection was lost")


def refusal(status: int, method: str, path: str) -> IdeasApiError:
    """The error for a status that no retry changes.

    Args:
        status: a 4xx.
        method: the method of the request.
        path: its path, without the query.
    """
    if status == 403:
        return access_denied(path, status)
    if status in NOT_FOUND:
        return NotFound(
            f"there is nothing at {path}",
            status=status,
            hint="It was deleted, is hidden from this account, or the contract's path is wrong.",
        )
    return RequestRefused(
        f"the API does not accept {method} {path}",
        status=status,
        hint="Compare method, path and parameters in the contract with the API's reference; "
        "`ideas-pipeline check` tests them.",
    )


def access_denied(path: str, status: int | None) -> AccessDenied:
    """The error for a path that this account may not read."""
    return AccessDenied(
        f"this account may not read {path}",
        status=status,
        hint="Ask a community administrator for access, or remove the stream from the contract.",
    )


def unavailable(last: RetryableError, attempts: int) -> Unavailable:
    """The error when every attempt failed, or a retry would not be safe."""
    count = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return (LoginPage if last.web_page else Unavailable)(
        f"no usable response after {count}; last error: {last.reason}",
        status=last.status,
        hint=last.hint or "Try again later; finished work is kept.",
    )


def no_free_connection(concurrency: int, seconds: float) -> Unavailable:
    """The error when a request waited in vain for its turn."""
    return Unavailable(
        f"no connection became free within {duration(seconds)}: at most {concurrency} requests are in flight at once",
        hint="Try again later; finished work is kept. The limits are limits.concurrency and limits.deadline in the "
        "contract.",
    )


def too_many_requests(last: RetryableError) -> RateLimited:
    """The error when the API still asks for fewer requests after the last attempt."""
    if last.status == HTTPStatus.TOO_MANY_REQUESTS:
        message = "the API keeps answering Too Many Requests"
    else:
        message = "the API keeps refusing requests because of its rate limit"
    return RateLimited(
        message,
        retry_after=last.retry_after,
        status=last.status,
        certain=last.rate_limited == "certain",
        hint="Lower limits.requests_per_second or limits.concurrency in the contract.",
    )


def pause_too_long(last: RetryableError, seconds: float, deadline: float) -> RateLimited:
    """The error when the API asks for a longer pause than the contract's deadline allows.

    Args:
        last: the error of the last attempt.
        seconds: the pause.
        deadline: the contract's ``limits.deadline``, in seconds.
    """
    return RateLimited(
        f"the API asks for a pause of {duration(seconds)}, but the contract's limits.deadline is {deadline:g} seconds",
        retry_after=seconds,
        status=last.status,
        certain=last.rate_limited != "likely",
        hint=_try_again(seconds),
    )


def budget_used_up(seconds: float) -> RateLimited:
    """The error when the contract's own rate does not allow another request for so many ``seconds``."""
    return RateLimited(
        "the request budget of the contract is used up",
        retry_after=seconds,
        hint=f"{_try_again(seconds)} The budget is limits.requests_per_hour or requests_per_second in the contract.",
    )


def too_many_values(most: int, status: int) -> UnexpectedResponse:
    """The error for a body with more than ``most`` values: the contract's ``limits.json_values``."""
    return UnexpectedResponse(
        f"the body of the response has more than {most:,} values",
        status=status,
        hint="Lower the page size in the stream's paging, or raise limits.json_values in the contract.",
    )


def nested_too_deeply(status: int) -> UnexpectedResponse:
    """The error for a body in more levels than can be read."""
    return UnexpectedResponse(
        "the body of the response is nested more than 1,000 levels deep",
        status=status,
        hint="Report it to the vendor.",
    )


def _try_again(seconds: float) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"Try again after {moment:%Y-%m-%d %H:%M:%S} UTC, in {duration(seconds)}; finished work is kept."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and the exceptions that it wraps, outermost first."""
    link: object = error
    while isinstance(link, BaseException):
        yield link
        reason = getattr(link, "reason", None)
        wrapped = [arg for arg in link.args if isinstance(arg, BaseException)]
        link = reason if isinstance(reason, BaseException) else next(iter(wrapped), link.__cause__)
