"""``IdeasApi``: the client of one community's API. A response per stream, scope and position."""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.errors import AccessDenied, IdeasApiError, NotFound, RequestRefused, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.auth import Auth, Credentials
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.composite_ids import in_the_path
from ideas_pipeline.ideas_api.field_map import present
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Position
from ideas_pipeline.ideas_api.run_lock import account_lock
from ideas_pipeline.ideas_api.token_store import TokenStore
from ideas_pipeline.ideas_api.transport import Response, Transport
from ideas_pipeline.ideas_api.urls import checked_base_url


class IdeasApi:
    """The Ideas API of one community, logged in as one account. Safe to use from many threads."""

    def __init__(self, contract: Contract, auth: Auth, transport: Transport, state: Path) -> None:
        self.contract = contract
        self.auth = auth
        self.transport = transport
        self.state = state
        self._authenticated = AuthenticatedTransport(auth, transport)

    @classmethod
    def connect(
        cls,
        contract: Contract,
        base_url: str,
        credentials: Credentials,
        token_store: Path,
        state: Path,
        listener: ListenerSettings | None = None,
    ) -> IdeasApi:
        """A client for ``base_url``. Nothing is sent yet: the first call logs in.

        ``state``: the folder in which the processes of this machine share the account's budget and its lock.

        Raises ContractError for a base URL that is neither HTTPS nor loopback.
        """
        account = credentials.fingerprint(checked_base_url(base_url))
        transport = Transport(base_url, contract.limits, state / f"account-{account[:16]}.budget")
        auth = Auth(contract.auth, credentials, TokenStore(token_store), transport, listener)
        return cls(contract, auth, transport, state)

    @property
    def base_url(self) -> str:
        return self.transport.base_url

    @property
    def retries(self) -> int:
        """How many requests so far were repeats of a failed one."""
        return self.transport.retries

    def account_role(self) -> str | None:
        """The role of the account that reads, as the contract's ``account`` finds it; None where it is not known.

        Raises AuthenticationError, and Unavailable where the API does not answer at all.
        """
        account = self.contract.account
        if account is None:
            return None
        try:
            role = present(self._authenticated.send("GET", account.path).body, account.role)
        except (AccessDenied, NotFound, RequestRefused, UnexpectedResponse):
            return None
        return str(role) if isinstance(role, str | int) else None

    def alone(self, what: str, say: Callable[[str], None]) -> AbstractContextManager[None]:
        """Keep other runs away from the account, and wait for one that is under way (see ``account_lock``)."""
        return account_lock(self.state, self.auth.account, what, say)

    def request(self, stream: str, scope: str, position: Position, bounds: Bounds = ALL) -> Response:
        """The response for one page. A 404 or 410 is a response, too: it says that the scope does not exist.

        Args:
            stream: the stream to read.
            scope: its scope.
            position: where the page begins (see ``pagination``).
            bounds: request only the records of this time range, if the contract knows how to ask for one.

        Raises:
            IdeasApiError: with the stream and the scope; NotFound if no address can be built for the scope.
        """
        spec = self.contract.streams[stream]
        path, sent = self._address(stream, scope, position, bounds)
        try:
            return self._authenticated.send(spec.method, path, stream=stream, scope=scope, **sent)
        except NotFound as error:
            return Response(
                status=error.status or HTTPStatus.NOT_FOUND,
                headers={},
                body=None,
                text="",
                url=self.transport.url(path),
                requests=error.requests,
                received_at=time.time(),
            )

    def _address(
        self, stream: str, scope: str, position: Position, bounds: Bounds
    ) -> tuple[str, dict[str, dict[str, Any]]]:
        """The path or URL of a page, and its parameters by how they are sent. Raises NotFound."""
        spec = self.contract.streams[stream]
        if spec.paging.style == "next_link" and position != "":
            return str(position), {}
        in_path = _placeholders(spec.path)
        values = pagination.placeholders(spec.paging, position)
        named = pagination.parameters(spec.paging, position)
        values |= self._scope_in_path(stream, scope)
        path = spec.path.format(**{name: quote(str(values[name]), safe="") for name in in_path})
        zone = self.contract.stream_timezone(stream)
        sent = dict(spec.parameters) | pagination.bound_parameters(spec, bounds, zone)
        sent |= {n: v for n, v in named.items() if not _travels_in_path(spec, n, in_path)}
        return path, _as(spec, sent)

    def _scope_in_path(self, stream: str, scope: str) -> dict[str, str]:
        try:
            return in_the_path(self.contract, stream, scope)
        except KeyError:
            raise NotFound(
                "the id of this list's parent is from before the contract's key was changed",
                hint="Sync in full, and confirm that the rows with such ids are gone: ideas-pipeline absences confirm",
            ).at(stream, scope) from None


def _placeholders(path: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(path) if name]


def _travels_in_path(spec: Stream, parameter: str, in_path: list[str]) -> bool:
    """Whether a paging parameter is a placeholder of the path, and so not sent a second time."""
    roles = {
        getattr(spec.paging, "page_parameter", None): "page",
        getattr(spec.paging, "offset_parameter", None): "offset",
        getattr(spec.paging, "cursor_parameter", None): "cursor",
        getattr(spec.paging, "size_parameter", None): "size",
    }
    return roles.get(parameter) in in_path


def _as(spec: Stream, sent: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {{"query": "params", "form": "form", "json": "json"}[spec.send_as]: sent} if sent else {}


class AuthenticatedTransport:
    """API calls with a valid token, whatever happens to the token meanwhile."""

    def __init__(self, auth: Auth, transport: Transport) -> None:
        self._auth = auth
        self._transport = transport

    def send(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        stream: str | None = None,
        scope: str | None = None,
    ) -> Response:
        """The answer. Raises AuthenticationError where even a new token is refused, and what ``Transport.send`` raises.

        A refused token is renewed for everybody, and then once for this call alone: when tokens are short-lived
        and callers many, the others may have used up the first new one.
        """
        asked = 0

        def answer(header: Mapping[str, str]) -> Response:
            nonlocal asked
            response = self._transport.send(
                method, path_or_url, params=params, form=form, json=json, headers=header, stream=stream, scope=scope
            )
            asked += response.requests
            return replace(response, requests=asked)

        try:
            header, token = self._auth.header()
            response = answer(header)
            if response.status == HTTPStatus.UNAUTHORIZED:
                self._auth.renew(token)
                response = answer(self._auth.header()[0])
            if response.status == HTTPStatus.UNAUTHORIZED:
                with self._auth.alone() as header:
                    response = answer(header)
            if response.status == HTTPStatus.UNAUTHORIZED:
                raise self._auth.refused_at_once(response)
        except IdeasApiError as error:
            if stream:
                error.at(stream, scope or "")
            raise
        self._auth.accepted()
        return response
