"""API calls with a valid token, which is renewed when the API may have refused it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ideas_pipeline.errors import AccessDenied, IdeasApiError, LoginPage, RateLimited, RequestRefused
from ideas_pipeline.ideas_api.auth import Auth
from ideas_pipeline.ideas_api.auth_responses import new_token_error
from ideas_pipeline.ideas_api.http_errors import access_denied
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.ideas_api.transport import NO_PARAMETERS, Parameters, Transport

# How often a call is sent again because another thread has renewed the token meanwhile.
_MOST_RETRIES = 3


@dataclass(slots=True)
class _Call:
    """One call, and how many requests were sent for it."""

    method: str
    path_or_url: str
    parameters: Parameters
    requests: int = 0


@dataclass(frozen=True, slots=True)
class _Tried:
    """One attempt of a call with one token.

    Attributes:
        token: the access token.
        header: the header that carried it.
        response: the response, unless ``error`` was raised.
        error: the refusal that the transport raised.
        received: when the response had come, by ``time.monotonic``.
        accepted: whether the API accepted the token.
        doubtful: whether the token may be the reason of a refusal.
    """

    token: str = field(repr=False)
    header: Mapping[str, str] = field(repr=False)
    response: Response | None
    error: IdeasApiError | None
    received: float
    accepted: bool
    doubtful: bool

    @property
    def status(self) -> int | None:
        return self.response.status if self.response else self.error.status if self.error else None


class AuthenticatedTransport:
    """API calls with a valid token. Safe to use from many threads.

    An expired token and missing rights can look alike (403, or 400 or 200 with an error), so the first refusal is
    believed only after one renewal of the token. After a refusal that a new token did not change, further refusals are
    compared with a witness: the last call that was accepted is sent again with the same token. If it is accepted, the
    token is alive, and the refusal is about rights; otherwise the token is renewed. So the number of renewals depends
    on how often tokens expire, not on how many lists the account may not read.
    """

    def __init__(self, auth: Auth, transport: Transport) -> None:
        self._auth = auth
        self._transport = transport
        self._deciding = threading.Lock()
        # The last accepted call, its token, and when it was sent.
        self._witness: tuple[_Call, str, float] | None = None
        self._renewed_in_vain = False
        # The statuses with which the API was seen to refuse an expired token.
        self._dialect: set[int | None] = set()

    def send(self, method: str, path_or_url: str, parameters: Parameters = NO_PARAMETERS) -> Response:
        """Send a request with a valid token.

        Args:
            method: the HTTP method.
            path_or_url: a path below the base URL, or an absolute URL.
            parameters: the query, form or JSON body.

        Raises:
            TokenRefused: even a new token is refused, and none has been accepted before.
            AccessDenied: the account may not read this.
            IdeasApiError: as ``Transport.send``, and as ``Auth.header``.
        """
        call = _Call(method, path_or_url, parameters)
        try:
            tried = self._try(call, *self._auth.header())
            if isinstance(tried.error, RateLimited) and not tried.error.certain:
                tried = self._without_rate_limit(tried, call)
            elif tried.doubtful:
                tried = self._decided(tried, call)
            return self._outcome(tried, call)
        except IdeasApiError as error:
            failure = error.after(call.requests)
        # Not within the except clause: the copy would carry the original as its context.
        raise failure

    def _try(self, call: _Call, header: Mapping[str, str], token: str) -> _Tried:
        sent = time.monotonic()
        response: Response | None = None
        error: IdeasApiError | None = None
        try:
            response = self._transport.send(call.method, call.path_or_url, call.parameters, headers=header)
            call.requests += response.requests
        except IdeasApiError as raised:
            call.requests += raised.requests
            if not isinstance(raised, AccessDenied | RequestRefused | RateLimited | LoginPage):
                raise
            error = raised
        accepted = response is not None and not response.refuses_token and not response.states_error
        if accepted:
            self._witness = call, token, sent
            self._auth.accepted(token)
        doubtful = isinstance(error, AccessDenied | LoginPage) or (response is not None and response.refuses_token)
        if not (accepted or doubtful or isinstance(error, RateLimited)):
            # Whatever the API says to a token of an earlier run, a new token is worth one attempt.
            doubtful = self._auth.is_untried(token)
        return _Tried(token, header, response, error, time.monotonic(), accepted, doubtful)

    def _decided(self, tried: _Tried, call: _Call) -> _Tried:
        """The call with a new token, unless its refusal is about rights. One thread decides for all."""
        for _ in range(_MOST_RETRIES):
            with self._deciding:
                if self._auth.is_current(tried.token):
                    believed = self._renewed_in_vain and self._is_alive(tried, call)
                    return tried if believed else self._with_new_token(tried, call)
            # Another thread has renewed the token meanwhile.
            tried = self._try(call, *self._auth.header())
            if not tried.doubtful:
                return tried
        with self._deciding:
            return self._with_new_token(tried, call)

    def _with_new_token(self, tried: _Tried, call: _Call) -> _Tried:
        """The call with a new token, shared by all threads first, and then for this call alone.

        If tokens are valid for a few calls only, other threads may have used up the first new one.
        """
        self._auth.renew(tried.token)
        again = self._try(call, *self._auth.header())
        if again.doubtful and not self._is_alive(again, call):
            with self._auth.exclusive_token() as (header, token):
                again = self._try(call, header, token)
                if again.doubtful and self._witness and not self._accepts_witness(again, call):
                    # The account may not read the witness any more, so its refusal proves nothing about the token.
                    self._witness = None
        if again.doubtful:
            self._renewed_in_vain = True
        else:
            self._dialect.add(tried.status)
        return again

    def _is_alive(self, tried: _Tried, call: _Call) -> bool:
        """Whether the token of a refused call is accepted elsewhere, so that the refusal is about rights."""
        if self._witness is None:
            # Nothing was accepted yet. 403 usually means missing rights, everything else the token.
            return isinstance(tried.error, AccessDenied)
        if self._dialect and tried.status not in self._dialect:
            return True
        _, token, sent = self._witness
        return (token == tried.token and sent >= tried.received) or self._accepts_witness(tried, call)

    def _accepts_witness(self, tried: _Tried, call: _Call) -> bool:
        """Whether the API accepts the witness with the token of a refused call, which its requests count for."""
        if self._witness is None:
            return False
        last, _, _ = self._witness
        witness = _Call(last.method, last.path_or_url, last.parameters)
        try:
            return self._try(witness, tried.header, tried.token).accepted
        finally:
            call.requests += witness.requests

    def _without_rate_limit(self, tried: _Tried, call: _Call) -> _Tried:
        """The call once more, if headers alone call its refusal a rate limit while other calls are accepted.

        Otherwise every list that the account may not read would cost as long a wait.
        """
        with self._deciding:
            if not self._accepts_witness(tried, call):
                return tried
            self._transport.believes_headers = False
            again = self._try(call, tried.header, tried.token)
            self._transport.believes_headers = again.accepted
            return again

    def _outcome(self, tried: _Tried, call: _Call) -> Response:
        """The response of the last attempt, or the error that it means."""
        response = tried.response
        if response is None:
            raise tried.error or AssertionError
        if not response.refuses_token:
            return replace(response, requests=call.requests)
        if self._witness is None:
            raise new_token_error(response)
        raise access_denied(self._path(call), response.status)

    def _path(self, call: _Call) -> str:
        return call.parameters.shown or urlsplit(self._transport.url(call.path_or_url)).path
