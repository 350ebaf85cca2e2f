"""Logging in: client id and secret → auth code → token pair → header; and a new pair when the API wants one."""

from __future__ import annotations

import copy
import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ideas_pipeline.contract.auth import Auth as AuthContract
from ideas_pipeline.contract.auth import AuthRequest, TokenRequest
from ideas_pipeline.errors import AuthenticationError, IdeasApiError, RateLimited, Unavailable
from ideas_pipeline.ideas_api.auth_responses import (
    expiry,
    is_yes,
    new_token_refused,
    refuse_missing_route,
    refused_credentials,
    token_at,
    value_at,
)
from ideas_pipeline.ideas_api.callback import ListenerSettings, listening
from ideas_pipeline.ideas_api.token_store import Tokens, TokenStore
from ideas_pipeline.ideas_api.transport import Response, Transport

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Credentials:
    """Of an API client, as its page in the community shows them."""

    client_id: str
    client_secret: str = field(repr=False)

    def fingerprint(self, base_url: str) -> str:
        """Names the account at this address, and tells nobody which it is."""
        return hashlib.sha256(f"{base_url}\n{self.client_id}".encode()).hexdigest()


class Auth:
    """One account's access to one API. Safe to use from many threads, and from many processes with one token store.

    A refresh token and an auth code are taken to be good for one use: neither is ever sent twice.
    ``account``: the account's fingerprint.
    """

    def __init__(
        self,
        contract_auth: AuthContract,
        credentials: Credentials,
        store: TokenStore,
        transport: Transport,
        listener: ListenerSettings | None,
    ) -> None:
        """``listener``: where the auth code arrives, if the API client has an endpoint; None if it has not."""
        self._contract = contract_auth
        self._credentials = credentials
        self._store = store
        self._transport = transport
        self._listener = listener
        self.account = credentials.fingerprint(transport.base_url)
        self._lock = threading.Lock()
        self._current: tuple[Tokens, dict[str, str]] | None = None
        # The last attempt at a new token that failed, and how many did.
        self._failure: IdeasApiError | None = None
        self._failures = 0
        self._accepted = False

    def header(self) -> tuple[dict[str, str], str]:
        """The header for an API call, and the access token in it. Logs in or refreshes where that is due.

        Raises AuthenticationError, or what kept the API from answering (Unavailable, ContractError).
        """
        current = self._current
        if current is None or _is_over(current[0]):
            current = self._renewed(current[0].access_token if current else None)
        return current[1], current[0].access_token

    def renew(self, refused: str) -> None:
        """The API refused this access token: get another one, once for all threads and processes that say so."""
        self._renewed(refused)

    def validate(self) -> bool:
        """Whether the API calls the access token valid. Logs in where that is due. Raises as ``header`` does."""
        request = self._contract.validate_
        response = self._ask("validate", request, access_token=self.header()[1])
        refuse_missing_route(response, "validate", request)
        said = value_at(response, request.valid)
        return response.status < 400 and (said is None or is_yes(said))

    def login(self) -> None:
        """Log in with client id and secret, whatever tokens there are. Raises as ``header`` does."""
        with self._lock, self._store.lock():
            self._current = self._with_header(self._logged_in(self._stored()))

    @contextmanager
    def alone(self) -> Iterator[dict[str, str]]:
        """The header with a token that is new and that nobody else has: it is shared when the block ends.

        So a refusal of it is no matter of time or of other callers. Raises as ``header`` does.
        """
        with self._lock, self._store.lock():
            current = self._with_header(self._obtained(self._stored()))
            try:
                yield current[1]
            finally:
                self._current = current

    def accepted(self) -> None:
        """An API call went through: the header is right."""
        self._accepted = True

    def refused_at_once(self, response: Response) -> AuthenticationError:
        """The error for a new token that the API refused with this answer."""
        return new_token_refused(response, others_accepted=self._accepted)

    def _renewed(self, refused: str | None) -> tuple[Tokens, dict[str, str]]:
        """A usable token that is not the refused one: another thread's, another process's, or a new one."""
        failures = self._failures
        with self._lock:
            current = self._current
            if current and _is_usable(current[0], refused):
                return current
            if self._failure and self._failures != failures:
                # Another thread asked while this one waited. The API is not asked the same again by every thread.
                raise copy.copy(self._failure)
            try:
                with self._store.lock():
                    stored = self._stored()
                    tokens = stored if stored and _is_usable(stored, refused) else self._obtained(stored)
            except IdeasApiError as error:
                self._failure = error
                self._failures += 1
                raise
            self._current = self._with_header(tokens)
            return self._current

    def _with_header(self, tokens: Tokens) -> tuple[Tokens, dict[str, str]]:
        header = self._contract.header
        return tokens, {header.name: header.format.replace("{access_token}", tokens.access_token)}

    def _stored(self) -> Tokens | None:
        stored = self._store.read()
        return stored if stored and stored.issued_to == self.account else None

    def _obtained(self, stored: Tokens | None) -> Tokens:
        """New tokens, by refresh or by login. They are in the store when this returns. Under the store's lock."""
        refreshed = self._refreshed(stored) if stored and stored.refresh_token else None
        return refreshed or self._logged_in(stored)

    def _refreshed(self, stored: Tokens) -> Tokens | None:
        """New tokens for the refresh token; None where the API refuses, or may have spent it without an answer."""
        # Marked as spent before it is sent: whoever is killed in between, nobody sends it a second time.
        self._store.write(replace(stored, refresh_token=""))
        try:
            response = self._ask(
                "refresh",
                self._contract.refresh,
                idempotent=False,
                refresh_token=stored.refresh_token,
                access_token=stored.access_token,
            )
        except RateLimited:
            self._store.write(stored)
            raise
        except Unavailable:
            _log.warning("The refresh of the access token got no answer: logging in anew.")
            return None
        if response.status >= 400:
            _log.info("The API refused to refresh the access token (HTTP %d): logging in anew.", response.status)
            return None
        return self._kept("refresh", self._contract.refresh, response)

    def _logged_in(self, stored: Tokens | None) -> Tokens:
        """New tokens for client id and secret. ``stored``: tokens that they once got."""
        code = self._code(stored)
        response = None
        try:
            response = self._exchanged(code)
        except RateLimited:
            raise
        except Unavailable:
            _log.warning("The exchange of the auth code got no answer: asking for another code.")
        if response is None:
            response = self._exchanged(self._code(stored))
        refuse_missing_route(response, "token", self._contract.token)
        if response.status >= 400:
            raise AuthenticationError(
                "the API gave an auth code, but refuses to exchange it for an access token",
                status=response.status,
                hint="Check IDEAS_CLIENT_SECRET, then auth.token in the contract (its method and fields).",
            )
        return self._kept("token", self._contract.token, response)

    def _exchanged(self, code: str) -> Response:
        return self._ask("token", self._contract.token, idempotent=False, auth_code=code)

    def _code(self, stored: Tokens | None) -> str:
        request = self._contract.code
        with ExitStack() as stack:
            listener = None
            if self._listener:
                # It listens before the code is asked for: the code may arrive before the answer does.
                listener = stack.enter_context(listening(self._listener, self._contract.callback.parameter))
            response = self._ask("code", request)
            refuse_missing_route(response, "code", request)
            if response.status >= 400:
                raise refused_credentials(response.status, worked_before=stored is not None)
            code = value_at(response, request.auth_code)
            if code:
                return str(code)
            if listener:
                return listener.wait()
        raise AuthenticationError(
            "the API answered without an auth code: it was probably sent to the API client's endpoint",
            status=response.status,
            hint="Leave the endpoint field of the API client empty; or set IDEAS_CALLBACK_PORT and let the endpoint "
            "lead there. If the code is in the answer, correct auth.code.auth_code in the contract.",
        )

    def _kept(self, route: str, request: TokenRequest, response: Response) -> Tokens:
        """The token pair of an answer, stored before anybody uses it."""
        access = token_at(response, route, "access_token", request.access_token)
        refresh = token_at(response, route, "refresh_token", request.refresh_token)
        tokens = Tokens(access, refresh, expiry(response, request.expires_in), self.account)
        self._store.write(tokens)
        return tokens

    def _ask(self, route: str, request: AuthRequest, *, idempotent: bool = True, **values: str) -> Response:
        """Send one request of the flow. A refusal is returned. Raises ContractError, Unavailable."""
        known = {"client_id": self._credentials.client_id, "client_secret": self._credentials.client_secret} | values
        sent = {name: template.format_map(known) for name, template in request.fields.items()}
        as_what = {"query": "params", "form": "form", "json": "json"}[request.send_as]
        content: dict[str, Any] = {as_what: sent}
        return self._transport.send(request.method, request.path, idempotent=idempotent, plain=True, **content)


def _is_over(tokens: Tokens) -> bool:
    return tokens.expires_at is not None and time.time() >= tokens.expires_at


def _is_usable(tokens: Tokens, refused: str | None) -> bool:
    return tokens.access_token != refused and not _is_over(tokens)
