"""``IdeasApi``: what the rest of the project knows of the API. A page of records in, by stream, scope and position."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.auth import Auth, AuthenticatedTransport, Credentials
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.contract import Contract, Json, Stream
from ideas_pipeline.ideas_api.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.field_map import MISSING, Record, field_map, present, records_in
from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.ideas_api.token_store import TokenStore
from ideas_pipeline.ideas_api.transport import Response, Transport


class IdeasApi:
    """The Ideas API of one community, logged in as one account. Safe to use from many threads."""

    def __init__(self, contract: Contract, auth: Auth, transport: Transport) -> None:
        self.contract = contract
        self.auth = auth
        self.transport = transport
        self._authenticated = AuthenticatedTransport(auth, transport)

    @classmethod
    def connect(
        cls,
        contract: Contract,
        base_url: str,
        credentials: Credentials,
        token_store: Path,
        listener: ListenerSettings | None = None,
    ) -> IdeasApi:
        """A client for ``base_url``. Nothing is sent yet: the first call logs in.

        Raises ContractError for a base URL that is neither HTTPS nor loopback.
        """
        transport = Transport(base_url, contract.limits)
        auth = Auth(contract.auth, credentials, TokenStore(token_store), transport, listener)
        return cls(contract, auth, transport)

    @property
    def base_url(self) -> str:
        return self.transport.base_url

    @cached_property
    def _mappers(self) -> dict[str, Callable[..., Record]]:
        return {name: field_map(self.contract, name) for name in self.contract.streams}

    def response(self, stream: str, scope: str, position: Position) -> Response:
        """The raw answer for one page. Raises IdeasApiError."""
        spec = self.contract.streams[stream]
        if spec.paging.style == "next_link" and position != "":
            return self._authenticated.send(spec.method, str(position), stream=stream, scope=scope)
        in_path = _placeholders(spec.path)
        values = pagination.placeholders(spec.paging, position)
        named = pagination.parameters(spec.paging, position)
        if spec.each:
            values[spec.each.placeholder] = scope
        path = spec.path.format(**{name: quote(str(values[name]), safe="") for name in in_path})
        sent = dict(spec.parameters) | {n: v for n, v in named.items() if not _travels_in_path(spec, n, in_path)}
        return self._authenticated.send(spec.method, path, stream=stream, scope=scope, **_as(spec, sent))

    def page(self, stream: str, scope: str, position: Position) -> Page:
        """The page of ``stream``'s list ``scope`` at ``position`` (see ``pagination``), mapped to columns.

        Raises IdeasApiError, which knows the stream and the scope.
        """
        spec = self.contract.streams[stream]
        response = self.response(stream, scope, position)
        try:
            self._refuse_error_body(spec, response)
            found = records_in(response.body, spec.records)
            if spec.reads == "one" and len(found) > 1:
                raise UnexpectedResponse(
                    f"{len(found)} records where one was asked for", hint="Check reads and records in the contract."
                )
            mapper = self._mappers[stream]
            records = [mapper(record, key, index, scope) for index, (key, record) in enumerate(found)]
            return Page(
                records=records,
                total=pagination.total_of(spec.paging.total, response.body, response.headers),
                next=pagination.following(
                    spec.paging, position, len(records), response.body, response.headers, response.url
                ),
                requests=response.requests,
                received_at=response.received_at,
            )
        except UnexpectedResponse as error:
            raise error.at(stream, scope) from None

    def _refuse_error_body(self, spec: Stream, response: Response) -> None:
        """Some APIs answer 200 and an error. That is no empty list."""
        body = response.body
        if not isinstance(body, dict) or present(body, spec.records) is not MISSING:
            return
        error = present(body, self.contract.error_paths)
        if error is not MISSING and error not in (None, "", [], {}, False, 0):
            raise UnexpectedResponse(
                "the API answered with an error instead of records",
                status=response.status,
                hint="Its text is not shown, as it may hold personal data. It is tried again on the next run.",
            )


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


def _as(spec: Stream, sent: dict[str, Any]) -> dict[str, Json]:
    return {{"query": "params", "form": "form", "json": "json"}[spec.send_as]: sent} if sent else {}
