"""HTTP to one API: a connection pool, retries, rate limiter and concurrency limit, and every failure in words."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import requests
import requests.utils
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random, wait_random_exponential

from ideas_pipeline.contract.auth import ExpiredToken
from ideas_pipeline.contract.model import Limits
from ideas_pipeline.contract.types import SendAs
from ideas_pipeline.errors import ContractError, IdeasApiError, Unavailable
from ideas_pipeline.ideas_api.account_store import RequestBudget
from ideas_pipeline.ideas_api.bounded_reading import Allowance, BoundedAdapter, read_body, reading_within
from ideas_pipeline.ideas_api.error_bodies import stated_error
from ideas_pipeline.ideas_api.http_errors import (
    RetryableError,
    budget_used_up,
    connection_error,
    no_free_connection,
    pause_too_long,
    refusal,
    too_many_requests,
    too_many_values,
    unavailable,
)
from ideas_pipeline.ideas_api.json_body import Parsed, decode, may_exceed
from ideas_pipeline.ideas_api.rate_limit import ConcurrencyLimit
from ideas_pipeline.ideas_api.refusals import rate_limit_sign, refuses_token, retryable_status
from ideas_pipeline.ideas_api.responses import (
    Response,
    is_web_page,
    json_of,
    json_or_none,
    redirect_target,
)
from ideas_pipeline.ideas_api.urls import checked_base_url, hide_requests_in_logs, origin
from ideas_pipeline.logs import logger

_log = logger(__name__)
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_LARGEST_ERROR = 1 << 18
_RECOGNIZED = ExpiredToken()  # expired tokens are recognized without the contract's help
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_backoff = wait_random_exponential(multiplier=0.5, max=60)
# Threads that were refused together do not retry together.
_spread = wait_random(0, 0.5)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a request, and whether they go into the query, a form or a JSON body.

    ``shown``: what errors and log lines show instead of the request's path, if a person's id is in that.
    """

    values: Mapping[str, Any] = field(repr=False, default_factory=dict)
    send_as: SendAs = "query"
    shown: str | None = None


NO_PARAMETERS = Parameters()


@dataclass(slots=True)
class _Call:
    """The state of one ``send``. ``ends``: its deadline, by ``time.monotonic``."""

    prepared: requests.PreparedRequest = field(repr=False)
    lenient: bool
    idempotent: bool
    ends: float
    shown: str | None = None
    requests: int = 0

    def redirect(self, url: str) -> None:
        self.prepared = self.prepared.copy()
        self.prepared.url = url

    def count(self) -> None:
        self.requests += 1

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; always more than 0, which a socket would take for no limit."""
        return max(self.ends - time.monotonic(), 0.001)

    @property
    def url(self) -> str:
        return cast(str, self.prepared.url)

    @property
    def path(self) -> str:
        """The part of the URL that errors and log lines may show."""
        return self.shown or urlsplit(self.url).path


class Transport:
    """The connections to one API. Safe to use from many threads.

    Proxies and certificate bundles are read from the environment once; ~/.netrc and cookies are not used.

    Args:
        base_url: the API's address.
        limits: the contract's limits.
        budget: the rates, which all who use the account share.
        expired: what the contract says about expired tokens.

    Attributes:
        base_url: the API's address, with a slash at its end.
        requests: how many requests were sent, retries included.
        retries: how many of them were retries.
        believes_headers: whether a refusal whose headers alone ask for a pause counts as a rate limit.
        replaced: how many characters of all responses were broken, and became U+FFFD.

    Raises:
        ContractError: the base URL is neither HTTPS nor on this machine.
    """

    def __init__(
        self,
        base_url: str,
        limits: Limits,
        budget: RequestBudget,
        expired: ExpiredToken = _RECOGNIZED,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self.believes_headers = True
        self._expired = expired
        self.requests = 0
        self.retries = 0
        self.replaced = 0
        self._limits = limits
        self._lock = threading.Lock()
        self._concurrency = ConcurrencyLimit(limits.concurrency)
        self._budget = budget
        self._proxies = requests.utils.get_environ_proxies(self.base_url)
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, BoundedAdapter(pool_maxsize=limits.concurrency))
        self._retrying = Retrying(
            retry=retry_if_exception_type(RetryableError),
            wait=_pause,
            stop=self._stop,
            before_sleep=self._count_retry,
            retry_error_callback=self._give_up,
        )
        hide_requests_in_logs()

    def trying_once(self) -> Transport:
        """The same connections, limits and budget, but no second attempt at a request that the API fails to answer."""
        other = copy.copy(self)
        other._limits = self._limits.model_copy(update={"attempts": 1})
        other._retrying = self._retrying.copy(stop=other._stop, retry_error_callback=other._give_up)
        return other

    def url(self, path_or_url: str) -> str:
        """The absolute URL. A path is relative to the base URL, with or without a slash in front."""
        if "://" in path_or_url:
            return path_or_url
        return self.base_url + path_or_url.removeprefix("/")

    def send(
        self,
        method: str,
        path_or_url: str,
        parameters: Parameters = NO_PARAMETERS,
        *,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = True,
        lenient: bool = False,
    ) -> Response:
        """Send a request, and retry it within the contract's attempts and deadline.

        A response that refuses the token (see ``Response.refuses_token``) is returned, not raised.

        Args:
            method: the HTTP method.
            path_or_url: a path below the base URL, or an absolute URL.
            parameters: the query, form or JSON body.
            headers: they contain the token, so a request with them goes to the API's own host only.
            idempotent: False if a second request could use up something that is valid once: then the request is
                retried only if the first one was certainly not processed.
            lenient: for the auth flow: the body need not be JSON, and any 4xx but a rate limit is returned, not raised.

        Raises:
            AccessDenied: 403.
            NotFound: 404 or 410.
            RequestRefused: any other 4xx.
            RateLimited: the API, or the contract's own rate, requires a pause beyond the deadline.
            Unavailable: no usable response after every retry.
            UnexpectedResponse: the response is larger than the contract's limits allow.
            ContractError: the request cannot be built, or is redirected to another host.
        """
        call = _Call(
            prepared=self._prepared(method, path_or_url, headers, parameters),
            lenient=lenient,
            idempotent=idempotent,
            ends=time.monotonic() + self._limits.deadline,
            shown=parameters.shown,
        )
        try:
            response = self._retrying(self._attempt, call)
            with self._lock:
                self.replaced += response.replaced
            return response
        except IdeasApiError as error:
            failure = error.after(call.requests)
        # Not within the except clause: the copy would carry the original as its context.
        raise failure

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _prepared(
        self, method: str, path_or_url: str, headers: Mapping[str, str] | None, parameters: Parameters
    ) -> requests.PreparedRequest:
        url = self.url(path_or_url)
        if not url.startswith(self.base_url):
            parts = urlsplit(url)
            # An auth route may have a host of its own; the token goes to the API's own host only.
            checked_base_url(f"{parts.scheme}://{parts.netloc}")
            if headers and origin(parts) != origin(urlsplit(self.base_url)):
                raise ContractError(
                    f"the token is not sent to {parts.hostname}, which is not the API's host",
                    hint="Check the base URL (the right region?) and the paths and next links in the contract.",
                )
        kind = {"query": "params", "form": "data", "json": "json"}[parameters.send_as]
        content: dict[str, Any] = {kind: parameters.values} if parameters.values else {}
        try:
            # Prepared without the session, whose cookies and ~/.netrc are not used: that takes half the time.
            all_headers = {**self._session.headers, **(headers or {})}
            return requests.Request(method, url, headers=all_headers, **content).prepare()
        except requests.RequestException:
            pass
        # Not within the except clause: that exception contains the URL, or the header.
        raise ContractError(
            "no valid request can be built from the contract", hint="Check the paths and auth.header in the contract."
        )

    def _attempt(self, call: _Call) -> Response:
        for _ in range(_MOST_REDIRECTS + 1):
            sent, response, content = self._exchange(call)
            if response.status_code not in _REDIRECTS or response.status_code in self._expired.statuses:
                try:
                    checked = self._checked(call, response, content)
                except RetryableError as error:
                    if error.rate_limited or error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                        self._concurrency.overloaded(sent)
                    raise
                self._concurrency.succeeded()
                return checked
            call.redirect(redirect_target(response, call.prepared.method or "", call.url, call.path))
        raise ContractError(
            f"too many redirects: more than {_MOST_REDIRECTS}, the last one from {call.path}",
            status=response.status_code,
            hint="Check the base URL and the path in the contract.",
        )

    def _exchange(self, call: _Call) -> tuple[float, requests.Response, bytes]:
        """Send one request and read its response. Raises RetryableError, RateLimited, Unavailable.

        Returns:
            When it was sent (``time.monotonic``), the response, and its body.
        """
        if not self._concurrency.acquire(call.remaining):
            raise no_free_connection(self._concurrency.current, self._limits.deadline)
        try:
            seconds = self._budget.wait(call.remaining)
            if seconds is not None:
                raise budget_used_up(seconds)
            # Read after the wait: only a request that is sent after a refusal tells something new about the load.
            sent = time.monotonic()
            response, content = self._exchange_now(call)
        finally:
            self._concurrency.release()
        return sent, response, content

    def _exchange_now(self, call: _Call) -> tuple[requests.Response, bytes]:
        with self._lock:
            self.requests += 1
        call.count()
        timeout = (min(self._limits.connect_timeout, call.remaining), min(self._limits.read_timeout, call.remaining))
        allowance = Allowance(call.ends, self._limits.header_kilobytes, self._limits.body_megabytes)
        failure: RetryableError | Unavailable
        try:
            # Sent by the adapter, not the session: no cookies, no redirects, no ~/.netrc, in half the time.
            with reading_within(allowance):
                response = self._session.get_adapter(call.url).send(
                    call.prepared, stream=True, timeout=timeout, verify=self._verify, proxies=self._proxies
                )
                return response, read_body(response.raw, allowance)
        except _FAILURES as error:
            failure = connection_error(error, urlsplit(call.url).hostname or "the API")
        # Not within the except clause: that exception contains the whole URL.
        raise failure

    def _checked(self, call: _Call, response: requests.Response, content: bytes) -> Response:
        """The response, or the error that it means. Raises RetryableError and the errors of a refusal."""
        status, headers = response.status_code, response.headers
        good = status // 100 == 2
        content_type = headers.get("Content-Type", "")
        if good and may_exceed(content, self._limits.json_values):
            raise too_many_values(self._limits.json_values, status)
        parsed = json_or_none(content, content_type) if good or len(content) < _LARGEST_ERROR else Parsed(None)
        stated = stated_error(parsed.value, status)
        refused = refuses_token(status, headers, stated, content, self._expired)
        if not refused:
            sign = rate_limit_sign(status, headers, stated)
            if sign and (sign.certain or self.believes_headers):
                rate_limited: Literal["certain", "likely"] = "certain" if sign.certain else "likely"
                raise RetryableError(
                    "too many requests",
                    status=status,
                    retry_after=sign.pause,
                    processed=False,
                    rate_limited=rate_limited,
                )
            if status >= 500:
                raise retryable_status(status, headers)
            if good and parsed.value is None and (not call.lenient or is_web_page(content)):
                parsed = json_of(response, content)
            if not good and not (call.lenient and status >= 400):
                raise refusal(status, call.prepared.method or "", call.path)
        return Response(
            status=status,
            headers=headers,
            body=parsed.value if good else None,
            text=decode(content, content_type)[0] if good and call.lenient else "",
            url=call.url,
            requests=call.requests,
            received_at=time.time(),
            content=b"" if call.lenient or not good else content,
            refuses_token=refused,
            states_error=good and stated.marked and not stated.has_records,
            replaced=parsed.replaced if good else 0,
        )

    def _stop(self, state: RetryCallState) -> bool:
        call, last = _of(state)
        # As long as the API says how long to wait, waiting is right, however many others it lets pass first.
        waits_as_asked = last.rate_limited and last.retry_after
        return (
            (state.attempt_number >= self._limits.attempts and not waits_as_asked)
            or state.upcoming_sleep >= call.remaining
            or (last.processed and not call.idempotent)
        )

    def _count_retry(self, state: RetryCallState) -> None:
        call, last = _of(state)
        with self._lock:
            self.retries += 1
        _log.info("%s: %s; retrying in %.1f s", call.path, last, state.upcoming_sleep)

    def _give_up(self, state: RetryCallState) -> Response:
        call, last = _of(state)
        if last.retry_after is not None and last.retry_after >= call.remaining:
            raise pause_too_long(last, last.retry_after, self._limits.deadline)
        if last.rate_limited:
            raise too_many_requests(last)
        raise unavailable(last, state.attempt_number)


def _of(state: RetryCallState) -> tuple[_Call, RetryableError]:
    """The call that tenacity retries, and the error of its last attempt."""
    return state.args[0], cast(RetryableError, state.outcome and state.outcome.exception())


def _pause(state: RetryCallState) -> float:
    _, last = _of(state)
    return last.retry_after + _spread(state) if last.retry_after else _backoff(state)
