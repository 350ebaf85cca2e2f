"""The simulated Ideas API: checks each request against the contract and responds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from aiohttp import web

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator import faults
from ideas_pipeline.simulator.auth import ApiClient, AuthServer
from ideas_pipeline.simulator.bounds import requested_span
from ideas_pipeline.simulator.control import CLOCK_PATH, FAULTS_PATH, control_clock, control_faults
from ideas_pipeline.simulator.lists import Lists
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.paging import POSITION_PARAMETER, requested_slice
from ideas_pipeline.simulator.responses import (
    RequestRefused,
    Response,
    TokenRefused,
    TooFast,
    error_response,
    json_bytes,
    sent_parameters,
    template_pattern,
)
from ideas_pipeline.simulator.rights import Account, Role, visible
from ideas_pipeline.simulator.shape import Quirks, put
from ideas_pipeline.simulator.statuses import refused_rate, refused_token
from ideas_pipeline.simulator.truth import Tables

BASE_PATH = "/v2/"
_LOG_SIZE = 1_000_000  # requests; older ones are dropped
_PREPARED_ROWS = 200_000  # larger communities are rendered on request
_PAGING_PLACES = ("page", "size", "offset", "cursor")

BeforePage = Callable[[str, str, Tables], None]


class Request(NamedTuple):
    """One request in the log. ``status`` 0: the connection was reset without a response."""

    method: str
    path: str
    stream: str
    scope: str
    status: int


@dataclass
class Route:
    """The meaning of a path.

    Attributes:
        stream: A stream, auth.code, auth.token, …, or ``account``.
        scope: The id of the parent or of the record; empty for a list without a parent.
        path_parameters: Paging parameters in the path, by placeholder.
    """

    stream: str
    scope: str = ""
    path_parameters: dict[str, str] = field(default_factory=dict)


class IdeasServer:
    """The behaviour and the state of the API, without the socket. Attributes may be changed while it serves.

    Attributes:
        latency: Seconds before each response.
        rate_limit: Requests per second; more are refused with 429.
        page_cap: The largest page that is ever returned.
        before_page: Called with (stream, scope, tables) before each page is rendered; may change the tables.
    """

    def __init__(
        self,
        contract: Contract,
        tables: Tables,
        client: ApiClient,
        *,
        latency: float,
        rate_limit: int | None,
        page_cap: int | None,
        quirks: Quirks,
        living: LivingCommunity | None,
    ) -> None:
        self.contract = contract
        self.tables = tables
        self.auth = AuthServer(contract.auth, client, refresh_rotates=quirks.refresh_rotates)
        self._quirks = quirks
        self.living = living
        self.latency = latency
        self.rate_limit = rate_limit
        self.page_cap = page_cap
        self.faults = faults.Faults()
        self.before_page: BeforePage | None = None
        self.log: list[Request] = []
        self.lists = Lists(contract, tables, quirks)
        self._lock = threading.RLock()
        self._recent: deque[float] = deque()
        self._patterns = {
            name: template_pattern(stream.path.strip("/"), value="[^/]*") for name, stream in contract.streams.items()
        }

    @contextmanager
    def changing(self) -> Iterator[Tables]:
        """Hold the lock of the tables in order to change them: no page is rendered meanwhile."""
        with self._lock:
            try:
                yield self.tables
            finally:
                self.lists.changed()

    def account(self, role: Role = "admin", hidden_challenges: Collection[str] = ()) -> None:
        """Set the rights of the API's account (see ``rights``); without arguments, it sees everything."""
        with self._lock:
            self.lists.account = Account(role, frozenset(hidden_challenges))
            self.lists.changed()

    def visible(self) -> Tables:
        """A copy of the rows that the account sees now, which a warehouse's live rows must equal."""
        with self._lock:
            shown = visible(self.tables, self.lists.account)
            return {table: {key: dict(row) for key, row in rows.items()} for table, rows in shown.items()}

    def prepare(self) -> None:
        """Render a community of moderate size beforehand, so that the first requests are as fast as later ones."""
        if sum(map(len, self.tables.values())) <= _PREPARED_ROWS:
            self.lists.prepare()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to one HTTP request, with the faults of the rules that match."""
        raw_path = request.rel_url.raw_path
        if raw_path == FAULTS_PATH:
            return await faults.send(request, await control_faults(request, self.faults), [])
        if raw_path == CLOCK_PATH:
            body = await request.read()
            with self.changing():
                response = control_clock(request.method, body, self.living)
            return await faults.send(request, response, [])
        route = self._route(raw_path)
        if route is None:
            self._note(request, raw_path, Route(""), 404)
            return await faults.send(request, error_response(404, "no stream of the contract has this path"), [])

        due = self.faults.take(route.stream, route.scope, raw_path)
        if self.latency:
            await asyncio.sleep(self.latency)
        await faults.delay(due)
        try:
            response = faults.replacement(request, due) or await self._respond(request, raw_path, route, due)
        except TokenRefused as refused:
            response = refused_token(self._quirks.expired_as, refused.message)
        except TooFast as refused:
            response = refused_rate(self._quirks.limited_as, refused.message, seconds=1)
        except RequestRefused as refused:
            response = error_response(refused.status, refused.message)
        self._note(request, raw_path, route, response.status)
        return await faults.send(request, response, due)

    def _route(self, raw_path: str) -> Route | None:
        path = raw_path.removeprefix(BASE_PATH)
        if path == raw_path:
            return None
        if path in self.auth.routes:
            return Route("auth." + next(iter(self.auth.routes[path])))
        if self.contract.account and path == self.contract.account.path.strip("/"):
            return Route("account")
        for name, pattern in self._patterns.items():
            if match := pattern.fullmatch(path):
                values = {place: unquote(value) for place, value in match.groupdict().items()}
                path_parameters = {place: values.pop(place) for place in _PAGING_PLACES if place in values}
                return Route(name, next(iter(values.values()), ""), path_parameters)
        return None

    async def _respond(
        self, request: web.BaseRequest, raw_path: str, route: Route, due: list[faults.Fault]
    ) -> Response:
        if route.stream.startswith("auth."):
            return await self.auth.respond(raw_path.removeprefix(BASE_PATH), request)
        if route.stream == "account":
            return self._whoami(request)
        stream = self.contract.streams[route.stream]
        if request.method != stream.method:
            raise RequestRefused(405, f"the method must be {stream.method}")
        self._check_rate()
        self.auth.check_header(request)
        follows_link = stream.paging.style == "next_link" and POSITION_PARAMETER in request.query
        sent = await sent_parameters(request, "query" if follows_link else stream.send_as)
        if stream.reads == "one":
            requested_slice(stream, sent, route.path_parameters, None, route.scope)
            with self._lock:
                return self.lists.one(route.stream, route.scope, due)
        span, rest = requested_span(stream, sent, ZoneInfo(self.contract.stream_timezone(route.stream)))
        slice_ = requested_slice(stream, rest, route.path_parameters, self.page_cap, route.scope)
        with self._lock:
            if self.before_page:
                self.before_page(route.stream, route.scope, self.tables)
                self.lists.changed()
            url = request.url.update_query(sent) if stream.paging.style == "next_link" else None
            return self.lists.page(route.stream, route.scope, slice_, span, url, due)

    def _whoami(self, request: web.BaseRequest) -> Response:
        if request.method != "GET":
            raise RequestRefused(405, "the method must be GET")
        self._check_rate()
        self.auth.check_header(request)
        body: dict[str, Json] = {}
        if self.contract.account:
            put(body, self.contract.account.role[0], self.lists.account.role)
        return Response(200, json_bytes(body))

    def _check_rate(self) -> None:
        if self.rate_limit is None:
            return
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self.rate_limit:
            raise TooFast(f"more than {self.rate_limit} requests per second")
        self._recent.append(now)

    def _note(self, request: web.BaseRequest, raw_path: str, route: Route, status: int) -> None:
        self.auth.counters.requests[route.stream] += 1
        self.log.append(Request(request.method, raw_path, route.stream, route.scope, status))
        if len(self.log) > _LOG_SIZE:
            del self.log[: _LOG_SIZE // 2]
