"""``IdeasApi``: the client of one community's API. One response per stream, scope and position."""

from __future__ import annotations

import copy
import string
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import quote

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.errors import (
    AccessDenied,
    ContractError,
    IdeasApiError,
    NotFound,
    RequestRefused,
    TokenRefused,
    Unavailable,
    UnexpectedResponse,
)
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.account_store import AccountHome, AccountStore
from ideas_pipeline.ideas_api.auth import Auth, Credentials
from ideas_pipeline.ideas_api.authenticated import AuthenticatedTransport
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.composite_ids import names_people, path_values, shown_scope
from ideas_pipeline.ideas_api.field_map import present
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Position
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.ideas_api.transport import Parameters, Transport
from ideas_pipeline.ideas_api.urls import checked_base_url, stays_in_place


class IdeasApi:
    """The Ideas API of one community, logged in as one account. Safe to use from many threads.

    Args:
        contract: what the API looks like.
        auth: the account's access.
        transport: the connections.
        store: the state of the account, which all who use it share.
    """

    def __init__(self, contract: Contract, auth: Auth, transport: Transport, store: AccountStore) -> None:
        self.contract = contract
        self.auth = auth
        self.transport = transport
        self.store = store
        self._authenticated = AuthenticatedTransport(auth, transport)

    @classmethod
    def connect(
        cls,
        contract: Contract,
        base_url: str,
        credentials: Credentials,
        home: AccountHome,
        listener: ListenerSettings | None = None,
    ) -> IdeasApi:
        """Create a client. It sends nothing yet: the first call logs in.

        Args:
            contract: what the API looks like.
            base_url: the API's address.
            credentials: client id and secret of the API client.
            home: where the account's tokens, request budget and run lock are kept.
            listener: where to listen for the auth code, if the API client has an endpoint.

        Raises:
            ContractError: the base URL is neither HTTPS nor on this machine.
        """
        store = home.account(credentials.fingerprint(checked_base_url(base_url)))
        transport = Transport(base_url, contract.limits, store.budget(contract.limits), contract.auth.expired)
        auth = Auth(contract.auth, credentials, store.tokens, transport, listener)
        return cls(contract, auth, transport, store)

    def with_contract(self, contract: Contract) -> IdeasApi:
        """A client with the same login and connections, but another contract for the streams."""
        other = copy.copy(self)
        other.contract = contract
        return other

    def trying_once(self) -> IdeasApi:
        """A client with the same login that asks once, for a question to which an error is an answer, too."""
        other = copy.copy(self)
        other.transport = self.transport.trying_once()
        other._authenticated = AuthenticatedTransport(self.auth, other.transport)
        return other

    @property
    def base_url(self) -> str:
        return self.transport.base_url

    @property
    def retries(self) -> int:
        """How many requests so far were retries."""
        return self.transport.retries

    @property
    def replaced(self) -> int:
        """How many characters of the responses so far were broken, and became U+FFFD."""
        return self.transport.replaced

    def account_role(self) -> str | None:
        """The role of the account that reads; None if the contract or the API does not tell it.

        Raises:
            AuthenticationError: no usable token can be obtained.
            Unavailable: the API does not respond.
        """
        account = self.contract.account
        if account is None:
            return None
        try:
            role = present(self._authenticated.send("GET", account.path).body, account.role)
        except (AccessDenied, NotFound, RequestRefused, TokenRefused, UnexpectedResponse):
            return None
        return str(role) if isinstance(role, str | int) else None

    def run_lock(self, what: str, say: Callable[[str], None]) -> AbstractContextManager[int | None]:
        """Hold the account's run lock (see ``AccountStore``): other runs wait, and this one waits for them."""
        return self.store.run_lock(what, say)

    def request(
        self,
        stream: str,
        scope: str,
        position: Position,
        bounds: Bounds = ALL,
        also: Mapping[str, str | int | bool] = MappingProxyType({}),
    ) -> Response:
        """Request one page. A refusal that answers the question is returned as a response.

        A 404 or 410 says that the scope does not exist, or that the page is beyond the last one. So do the other
        statuses of ``pagination.BEYOND_THE_END`` and of the contract's ``beyond``, if the API did not say that there is
        such a page.

        Args:
            stream: the stream to read.
            scope: its scope.
            position: where the page begins (see ``pagination``).
            bounds: request only the records of this time range, if the contract knows how to ask for one.
            also: parameters to send besides those of the contract.

        Raises:
            IdeasApiError: with the stream and the scope; NotFound if no address can be built for the scope,
                UnexpectedResponse if its address would be that of another list.
        """
        spec = self.contract.streams[stream]
        path, parameters = self._address(stream, scope, position, bounds, also)
        try:
            return self._authenticated.send(spec.method, path, parameters)
        except IdeasApiError as error:
            failure = error
        is_refusal = isinstance(failure, AccessDenied | RequestRefused | Unavailable)
        is_beyond = is_refusal and pagination.is_beyond(spec.paging, position, failure.status)
        if isinstance(failure, NotFound) or is_beyond:
            return Response(
                status=failure.status or HTTPStatus.NOT_FOUND,
                headers={},
                body=None,
                text="",
                url=self.transport.url(parameters.shown or path),
                requests=failure.requests,
                received_at=time.time(),
            )
        if isinstance(failure, TokenRefused):
            self.auth.discard()
        astray = isinstance(failure, ContractError) and not isinstance(failure, UnexpectedResponse)
        if astray and spec.paging.style == "next_link" and position != "":
            failure = UnexpectedResponse(  # the address came from the API, so the other lists are not affected
                f"the next page's link cannot be followed: {failure.message}", status=failure.status, hint=failure.hint
            ).after(failure.requests)
        raise failure.at(stream, shown_scope(self.contract, stream, scope))

    def _address(
        self, stream: str, scope: str, position: Position, bounds: Bounds, also: Mapping[str, str | int | bool]
    ) -> tuple[str, Parameters]:
        """The path or URL of a page, and its parameters. Raises NotFound."""
        spec = self.contract.streams[stream]
        shown = spec.path if names_people(self.contract, stream) else None
        if spec.paging.style == "next_link" and position != "":
            return str(position), Parameters(shown=shown)
        in_path = _placeholders(spec.path)
        values = pagination.placeholders(spec.paging, position)
        named = pagination.parameters(spec.paging, position)
        values |= self._scope_in_path(stream, scope)
        if not all(stays_in_place(str(values[name])) for name in in_path):
            raise UnexpectedResponse(
                "the API's id, or cursor, cannot be a part of a URL's path: it would lead to another list",
                stream=stream,
                scope=shown_scope(self.contract, stream, scope),
                hint="Report it to the vendor.",
            )
        path = spec.path.format(**{name: quote(str(values[name]), safe="") for name in in_path})
        zone = self.contract.stream_timezone(stream)
        sent = dict(spec.parameters) | pagination.bound_parameters(spec, bounds, zone)
        sent |= {n: v for n, v in named.items() if not _travels_in_path(spec, n, in_path)} | dict(also)
        return path, Parameters(sent, spec.send_as, shown)

    def _scope_in_path(self, stream: str, scope: str) -> dict[str, str]:
        try:
            return path_values(self.contract, stream, scope)
        except KeyError:
            raise NotFound(
                "the parent's id was composed before the contract's key was changed",
                stream=stream,
                scope=shown_scope(self.contract, stream, scope),
                hint="Run a full sync, then mark the rows with the old ids as deleted: ideas-pipeline absences confirm",
            ) from None


def _placeholders(path: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(path) if name]


def _travels_in_path(spec: Stream, parameter: str, in_path: list[str]) -> bool:
    """Whether a paging parameter is a placeholder of the path, and therefore not sent as a parameter too."""
    roles = {
        getattr(spec.paging, "page_parameter", None): "page",
        getattr(spec.paging, "offset_parameter", None): "offset",
        getattr(spec.paging, "cursor_parameter", None): "cursor",
        getattr(spec.paging, "size_parameter", None): "size",
    }
    return roles.get(parameter) in in_path
