"""HTTP to one API: one pool of connections, retries, rate limit, and every failure in words."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import requests.utils
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random, wait_random_exponential

from ideas_pipeline.contract.model import Limits
from ideas_pipeline.errors import ContractError, IdeasApiError, Unavailable
from ideas_pipeline.ideas_api.http_errors import (
    Again,
    connection_failure,
    rate_limited,
    refusal,
    spent_budget,
    unavailable,
)
from ideas_pipeline.ideas_api.rate_limit import Gate, RateLimit
from ideas_pipeline.ideas_api.responses import json_of, json_or_none, raise_for, redirect_target
from ideas_pipeline.ideas_api.urls import checked_base_url, hide_queries_in_logs, origin

_log = logging.getLogger(__name__)
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_CHUNK = 1 << 16
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_backoff = wait_random_exponential(multiplier=0.5, max=60)
# Threads that were sent away together do not come back together.
_spread = wait_random(0, 0.5)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    ``headers``: in any case of letters. ``body``: the parsed JSON; None where there is none.
    ``text``: the whole body, filled for a ``plain`` request only. ``content``: its bytes, of any other good answer.
    ``url``: what was asked, redirects followed.
    ``requests``: how many it took. ``received_at``: seconds since 1970, this machine's clock.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    text: str = field(repr=False)
    url: str = field(repr=False)
    requests: int
    received_at: float
    content: bytes = field(repr=False, default=b"")

    def found(self) -> Response:
        """Return self. Raises NotFound for a 404 or 410."""
        if self.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise refusal(self.status, "GET", urlsplit(self.url).path).after(self.requests)
        return self


@dataclass(slots=True)
class _Call:
    """One ``send`` under way."""

    prepared: requests.PreparedRequest = field(repr=False)
    plain: bool
    idempotent: bool
    ends: float
    requests: int = 0

    @property
    def remaining(self) -> float:
        """Seconds; never 0 or less, which a socket would take for no limit."""
        return max(self.ends - time.monotonic(), 0.001)

    @property
    def url(self) -> str:
        return cast(str, self.prepared.url)

    @property
    def path(self) -> str:
        """All of the address that an error or a log line may show."""
        return urlsplit(self.url).path


class Transport:
    """One API's connections, for all threads.

    ``base_url``: ends in a slash. ``budget``: the file in which all who use the account share its rates.
    ``requests``, ``retries``: totals of what was sent, retries included, and of retries.
    Proxies and certificate bundles come from the environment, once; ~/.netrc and cookies are not used.
    """

    def __init__(self, base_url: str, limits: Limits, budget: Path) -> None:
        """Raises ContractError for a base URL that is neither HTTPS nor on this machine."""
        self.base_url = checked_base_url(base_url)
        self.requests = 0
        self.retries = 0
        self._limits = limits
        self._lock = threading.Lock()
        self._gate = Gate(limits.concurrency)
        self._rate_limit = RateLimit(limits, budget)
        self._proxies = requests.utils.get_environ_proxies(self.base_url)
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=limits.concurrency))
        self._retrying = Retrying(
            retry=retry_if_exception_type(Again),
            wait=_pause,
            stop=self._stop,
            before_sleep=self._count_retry,
            retry_error_callback=self._give_up,
        )
        hide_queries_in_logs()

    def url(self, path_or_url: str) -> str:
        """The absolute URL: a path lies under the base URL, with or without a slash in front."""
        if "://" in path_or_url:
            return path_or_url
        return self.base_url + path_or_url.removeprefix("/")

    def send(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: str | None = None,
        scope: str | None = None,
        idempotent: bool = True,
        plain: bool = False,
    ) -> Response:
        """Send a request until it is answered properly, within the contract's attempts and deadline.

        ``headers`` carry the token, so with them only the API's own address is spoken to.
        ``idempotent``: False where a second sending could spend something that is good for one use:
        then only what certainly was not processed is sent again.
        ``plain``: for the auth flow: the body need not be JSON, and a refusal (4xx other than 429) is returned.
        A 401 is always returned.
        Raises ContractError, AccessDenied, NotFound, RequestRefused, RateLimited, Unavailable.
        """
        call = _Call(
            prepared=self._prepared(method, path_or_url, headers, params=params, data=form, json=json),
            plain=plain,
            idempotent=idempotent,
            ends=time.monotonic() + self._limits.deadline,
        )
        try:
            return self._retrying(self._attempt, call)
        except IdeasApiError as error:
            error.after(call.requests)
            if stream:
                error.at(stream, scope or "")
            raise

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _prepared(
        self, method: str, path_or_url: str, headers: Mapping[str, str] | None, **content: Any
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
        try:
            # By the request, not by the session, whose cookies and ~/.netrc are not used: half the time.
            all_headers = {**self._session.headers, **(headers or {})}
            return requests.Request(method, url, headers=all_headers, **content).prepare()
        except requests.RequestException:
            pass
        # Not within the except clause: that exception holds the URL, or the header.
        raise ContractError(
            "a request cannot be built as the contract says", hint="Check the paths and auth.header in the contract."
        )

    def _attempt(self, call: _Call) -> Response:
        for _ in range(_MOST_REDIRECTS + 1):
            response, content = self._exchange(call)
            if response.status_code not in _REDIRECTS:
                return _judged(call, response, content)
            call.prepared = call.prepared.copy()
            call.prepared.url = redirect_target(response, call.prepared.method or "", call.url)
        raise ContractError(
            f"the API sends {call.path} on and on: more than {_MOST_REDIRECTS} redirects",
            status=response.status_code,
            hint="Check the base URL and the path in the contract.",
        )

    def _exchange(self, call: _Call) -> tuple[requests.Response, bytes]:
        """One request and its whole answer. Raises Again, RateLimited, Unavailable."""
        if not self._gate.enter(call.remaining):
            raise unavailable(Again("all connections were busy"), call.requests)
        try:
            away = self._rate_limit.wait(call.remaining)
            if away is not None:
                raise spent_budget(away)
            # Not before: a request that waited here for its turn was sent after others had been refused.
            sent = time.monotonic()
            response, content = self._exchange_now(call)
        finally:
            self._gate.leave()
        if response.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            self._gate.overrun(sent)
        else:
            self._gate.succeeded()
        return response, content

    def _exchange_now(self, call: _Call) -> tuple[requests.Response, bytes]:
        with self._lock:
            self.requests += 1
        call.requests += 1
        timeout = (min(self._limits.connect_timeout, call.remaining), min(self._limits.read_timeout, call.remaining))
        failure: Again | Unavailable
        try:
            # The adapter, not the session: no cookies, no redirects, no ~/.netrc, and half the time.
            response = self._session.get_adapter(call.url).send(
                call.prepared, stream=True, timeout=timeout, verify=self._verify, proxies=self._proxies
            )
            return response, _read(response.raw, call.ends)
        except _FAILURES as error:
            failure = connection_failure(error, urlsplit(call.url).hostname or "the API")
        # Not within the except clause: that exception holds the whole URL.
        raise failure

    def _stop(self, state: RetryCallState) -> bool:
        call, again = _of(state)
        return (
            state.attempt_number >= self._limits.attempts
            or state.upcoming_sleep >= call.remaining
            or (again.processed and not call.idempotent)
        )

    def _count_retry(self, state: RetryCallState) -> None:
        call, again = _of(state)
        with self._lock:
            self.retries += 1
        _log.info("%s: %s; asking again in %.1f s", call.path, again.reason, state.upcoming_sleep)

    def _give_up(self, state: RetryCallState) -> Response:
        call, again = _of(state)
        if again.status == HTTPStatus.TOO_MANY_REQUESTS or (again.retry_after or 0) >= call.remaining:
            raise rate_limited(again.status, again.retry_after, self._limits.deadline)
        raise unavailable(again, state.attempt_number)


def _of(state: RetryCallState) -> tuple[_Call, Again]:
    """What tenacity's state is about: the call, and why its last attempt failed."""
    return state.args[0], cast(Again, state.outcome and state.outcome.exception())


def _pause(state: RetryCallState) -> float:
    _, again = _of(state)
    return again.retry_after + _spread(state) if again.retry_after else _backoff(state)


def _read(raw: Any, ends: float) -> bytes:
    """The whole body. Raises TimeoutError where it trickles in until after ``ends``."""
    chunks = []
    while chunk := raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        if time.monotonic() > ends:
            raw.close()
            raise TimeoutError
    return b"".join(chunks)


def _judged(call: _Call, response: requests.Response, content: bytes) -> Response:
    """The answer, or the error that it means. Raises Again and the errors of a refusal."""
    status = response.status_code
    body: Any = None
    text = ""
    if status // 100 == 2:
        body = json_or_none(content) if call.plain else json_of(response, content)
        text = content.decode("utf-8", "replace") if call.plain else ""
    elif status != HTTPStatus.UNAUTHORIZED and not (call.plain and _is_refusal(status)):
        raise_for(response, call.prepared.method or "", call.path)
    kept = b"" if call.plain else content
    return Response(status, response.headers, body, text, call.url, call.requests, time.time(), kept)


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS
