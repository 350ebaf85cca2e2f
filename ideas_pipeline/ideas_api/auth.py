"""The auth flow: client id and secret → auth code → token pair → header, and its renewal by refresh or login."""

from __future__ import annotations

import copy
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from ideas_pipeline.contract.auth import Auth as AuthContract
from ideas_pipeline.contract.auth import AuthRequest, TokenRequest
from ideas_pipeline.errors import AuthenticationError, IdeasApiError, RateLimited, Unavailable
from ideas_pipeline.ideas_api.account_store import Tokens, TokenStore
from ideas_pipeline.ideas_api.auth_responses import (
    credentials_error,
    expiry,
    held,
    is_yes,
    refresh_token_of,
    refuse_missing_route,
    token_at,
    value_at,
)
from ideas_pipeline.ideas_api.callback import Expected, ListenerSettings, listening
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.ideas_api.transport import Parameters, Transport
from ideas_pipeline.logs import logger

_log = logger(__name__)


@dataclass(frozen=True)
class Credentials:
    """Client id and secret of an API client, as the API page of the profile in the community shows them."""

    client_id: str
    client_secret: str = field(repr=False)

    def fingerprint(self, base_url: str) -> str:
        """A hash that identifies the account at this address without revealing it."""
        return hashlib.sha256(f"{base_url}\n{self.client_id}".encode()).hexdigest()


class Auth:
    """One account's access to one API. Safe to use from many threads, and from many processes with one token store.

    Refresh tokens and auth codes are assumed to be valid once, so neither is ever sent twice.

    Args:
        contract_auth: the auth flow as the contract describes it.
        credentials: client id and secret.
        store: the tokens between runs.
        transport: the connections to the API.
        listener: where the auth code arrives, if the API client has an endpoint; None if it has none.

    Attributes:
        account: the account's fingerprint.
        is_stored: whether the access token in use is from an earlier run.
        unrefused: how many access tokens were replaced that the API had not refused. Whether they were valid to the end
            is not known.
    """

    def __init__(
        self,
        contract_auth: AuthContract,
        credentials: Credentials,
        store: TokenStore,
        transport: Transport,
        listener: ListenerSettings | None,
    ) -> None:
        self._contract = contract_auth
        self._credentials = credentials
        self._store = store
        self._transport = transport
        self._listener = listener
        self.account = credentials.fingerprint(transport.base_url)
        self._lock = threading.Lock()
        self._current: tuple[Tokens, dict[str, str]] | None = None
        # The last failed attempt to get a new token, and the number of failed attempts.
        self._failure: IdeasApiError | None = None
        self._failures = 0
        # The token that came from the store, until the API has accepted it: it may have been revoked meanwhile.
        self._untried: str | None = None
        self.is_stored = False
        self.unrefused = 0

    def header(self) -> tuple[dict[str, str], str]:
        """The header for an API call, and the access token in it. Logs in or refreshes the token if necessary.

        Raises:
            AuthenticationError: no usable token can be obtained.
            Unavailable: the API does not respond.
            ContractError: the contract's auth flow does not lead to the API.
        """
        current = self._current
        if current is None:
            current = self._renew(None)
        elif _is_expired(current[0]):
            self.unrefused += 1
            current = self._renew(current[0].access_token)
        return current[1], current[0].access_token

    def renew(self, refused: str) -> None:
        """Replace this access token, which the API refused. Threads and processes share one renewal."""
        self._renew(refused)

    def replace(self) -> None:
        """Replace the access token, although the API did not refuse it. Raises as ``header`` does."""
        _, token = self.header()
        self.unrefused += 1
        self._renew(token)

    def is_current(self, token: str) -> bool:
        """Whether no other thread has replaced this access token meanwhile."""
        return self._current is not None and self._current[0].access_token == token

    def is_untried(self, token: str) -> bool:
        """Whether this access token is from an earlier run, and the API has not accepted it in this one."""
        return token == self._untried

    def accepted(self, token: str) -> None:
        """Note that the API accepted a call with this access token."""
        if token == self._untried:
            self._untried = None

    def stored(self) -> Tokens | None:
        """The tokens in the store that were issued to this account."""
        stored = self._store.read()
        return stored if stored and stored.issued_to == self.account else None

    def discard(self) -> None:
        """Mark the stored token pair as expired, because the API does not accept it. The next run logs in."""
        with self._store.lock():
            if stored := self.stored():
                self._store.write(replace(stored, refresh_token="", expires_at=0.0))

    def validate(self) -> bool:
        """Whether the API reports the access token as valid. Logs in if necessary. Raises as ``header`` does."""
        request = self._contract.validate_
        response = self._send(request, access_token=self.header()[1])
        refuse_missing_route(response, "validate", request)
        valid = value_at(response, request.valid)
        return response.status < 400 and (valid is None or is_yes(valid))

    def login(self) -> None:
        """Log in with client id and secret, even if there is a valid token. Raises as ``header`` does."""
        with self._lock, self._store.lock():
            self._use(self._log_in(self.stored()))

    @contextmanager
    def exclusive_token(self) -> Iterator[tuple[dict[str, str], str]]:
        """The header with a new token that no other caller has until the block ends, and the token.

        A refusal of this token therefore cannot be caused by expiry or by another caller. Raises as ``header`` does.
        """
        with self._lock, self._store.lock():
            tokens = self._obtain(self.stored())
            try:
                yield self._header_of(tokens), tokens.access_token
            finally:
                self._use(tokens)

    def _renew(self, refused: str | None) -> tuple[Tokens, dict[str, str]]:
        """A usable token other than the refused one: from another thread, from another process, or a new one."""
        failures = self._failures
        with self._lock:
            current = self._current
            if current and _is_usable(current[0], refused):
                return current
            if self._failure and self._failures != failures:
                # Another thread failed while this one waited. Not every thread repeats the attempt.
                raise copy.copy(self._failure)
            try:
                with self._store.lock():
                    stored = self.stored()
                    is_stored = bool(stored and _is_usable(stored, refused))
                    tokens = stored if stored and is_stored else self._obtain(stored)
            except IdeasApiError as error:
                self._failure = error
                self._failures += 1
                raise
            self._untried = tokens.access_token if is_stored else self._untried
            return self._use(tokens, is_stored=is_stored)

    def _use(self, tokens: Tokens, *, is_stored: bool = False) -> tuple[Tokens, dict[str, str]]:
        current = tokens, self._header_of(tokens)
        self._current, self.is_stored = current, is_stored
        return current

    def _header_of(self, tokens: Tokens) -> dict[str, str]:
        header = self._contract.header
        return {header.name: header.format.replace("{access_token}", tokens.access_token)}

    def _obtain(self, stored: Tokens | None) -> Tokens:
        """Get new tokens by refresh or login, and store them. The caller holds the store's lock."""
        refreshed = self._refresh(stored) if stored and stored.refresh_token else None
        return refreshed or self._log_in(stored)

    def _refresh(self, stored: Tokens) -> Tokens | None:
        """Get new tokens for the refresh token; None if the API refuses it, or may have used it up."""
        # Removed from the store before it is sent, so that it is not sent twice even if this process is killed. The
        # access token is replaced because it has expired or was refused, so no other process must take it for good.
        self._store.write(replace(stored, refresh_token="", expires_at=0.0))
        try:
            response = self._send(
                self._contract.refresh,
                idempotent=False,
                refresh_token=stored.refresh_token,
                access_token=stored.access_token,
            )
        except RateLimited:
            self._store.write(replace(stored, expires_at=0.0))
            raise
        except Unavailable:
            _log.warning("No response to the refresh of the access token; logging in again.")
            return None
        if response.status >= 400:
            _log.info("The API refused to refresh the access token (HTTP %d); logging in again.", response.status)
            return None
        try:
            return self._store_pair("refresh", self._contract.refresh, response, stored.refresh_token)
        except AuthenticationError as error:
            _log.warning("The refresh of the access token failed: %s Logging in again.", error)
            return None

    def _log_in(self, stored: Tokens | None) -> Tokens:
        """Get new tokens for client id and secret. ``stored``: tokens that these credentials got earlier."""
        code = self._request_code(stored)
        response = None
        try:
            response = self._exchange(code)
        except RateLimited:
            raise
        except Unavailable:
            _log.warning("No response to the exchange of the auth code; requesting another code.")
        if response is None:
            response = self._exchange(self._request_code(stored))
        refuse_missing_route(response, "token", self._contract.token)
        token = value_at(response, self._contract.token.access_token)
        if response.status >= 400 or (not token and response.states_error):
            raise AuthenticationError(
                "the API issued an auth code, but refuses to exchange it for an access token",
                status=response.status,
                hint="Check IDEAS_CLIENT_SECRET, then auth.token in the contract (its method and fields).",
            )
        return self._store_pair("token", self._contract.token, response)

    def _exchange(self, code: str) -> Response:
        return self._send(self._contract.token, idempotent=False, auth_code=code)

    def _request_code(self, stored: Tokens | None) -> str:
        request, callback = self._contract.code, self._contract.callback
        state = secrets.token_urlsafe()
        with ExitStack() as stack:
            listener = None
            if self._listener:
                # Open before the code is requested: the code may arrive before the response does.
                expected = Expected(callback.parameter, {callback.state: state} if callback.state else {})
                listener = stack.enter_context(listening(self._listener, expected))
            response = self._send(request, state=state)
            refuse_missing_route(response, "code", request)
            code = value_at(response, request.auth_code) if response.status < 400 else None
            if response.status >= 400 or (not code and response.states_error):
                raise credentials_error(response.status, worked_before=stored is not None)
            if code:
                return str(code)
            if listener:
                return listener.wait()
        raise AuthenticationError(
            "the response contains no auth code: it was probably sent to the API client's endpoint",
            status=response.status,
            hint="Leave the endpoint field of the API client empty; or set IDEAS_CALLBACK_PORT and point the endpoint "
            "to it. If the response contains the code, correct auth.code.auth_code in the contract: "
            f"{held(response.body, response.text)}.",
        )

    def _store_pair(self, route: str, request: TokenRequest, response: Response, old: str = "") -> Tokens:
        """Store the token pair of a response, before it is used. Without a new refresh token, the ``old`` one stays.

        RFC 6749 §5.1 and §6 leave it to the API whether it issues a refresh token.
        """
        access = token_at(response, route, "access_token", request.access_token)
        refresh = refresh_token_of(response, request.refresh_token) or old
        tokens = Tokens(access, refresh, expiry(response, request.expires_in), self.account)
        self._store.write(tokens)
        return tokens

    def _send(self, request: AuthRequest, *, idempotent: bool = True, **values: str) -> Response:
        """Send one request of the auth flow. A refusal is returned. Raises ContractError, Unavailable."""
        known = {"client_id": self._credentials.client_id, "client_secret": self._credentials.client_secret} | values
        sent = {name: template.format_map(known) for name, template in request.fields.items()}
        parameters = Parameters(sent, request.send_as)
        return self._transport.send(request.method, request.path, parameters, idempotent=idempotent, lenient=True)


def _is_expired(tokens: Tokens) -> bool:
    return tokens.expires_at is not None and time.time() >= tokens.expires_at


def _is_usable(tokens: Tokens, refused: str | None) -> bool:
    return tokens.access_token != refused and not _is_expired(tokens)
