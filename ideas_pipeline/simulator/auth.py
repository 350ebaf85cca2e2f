"""The simulated login: auth codes, token pairs, refresh and validation, as the contract's ``auth`` describes them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from ideas_pipeline.contract.auth import Auth, AuthRequest, TokenRequest
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.responses import (
    RequestRefused,
    Response,
    TokenRefused,
    json_bytes,
    sent_parameters,
    template_pattern,
)
from ideas_pipeline.simulator.shape import put

CODE_SECONDS = 60


@dataclass
class _Access:
    expires: float
    uses_left: int | None


@dataclass
class Counters:
    """Counters of what clients did.

    Attributes:
        requests: Requests per stream; those of the auth flow are counted under auth.code, auth.token, …
        logins: Auth codes exchanged for tokens.
        refreshes: Refresh tokens exchanged for tokens.
        refresh_reuses: Refresh tokens that were sent a second time, and refused.
    """

    requests: Counter[str] = field(default_factory=Counter)
    logins: int = 0
    refreshes: int = 0
    refresh_reuses: int = 0


@dataclass(frozen=True)
class ApiClient:
    """The API client that is registered with the simulated API.

    Attributes:
        client_id: Its id; random unless given.
        client_secret: Its secret; random unless given.
        endpoint: URL that receives the auth codes in the contract's callback parameter; they are then not returned.
        token_seconds: Lifetime of its access tokens in seconds.
        token_uses: Number of API calls that an access token allows (None: unlimited).

    Raises:
        ValueError: The endpoint is not a URL.
    """

    client_id: str = field(default_factory=lambda: secrets.token_hex(8))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    endpoint: str | None = None
    token_seconds: float = 3600
    token_uses: int | None = None

    def __post_init__(self) -> None:
        if self.endpoint is not None and not _is_url(self.endpoint):
            raise ValueError("the endpoint must be a URL such as http://127.0.0.1:8765/")


@dataclass
class AuthServer:
    """The auth codes and tokens of one API client.

    Attributes:
        issued: Every code and token that was ever issued.
        revoked: The API client was revoked; every request is refused.
        refresh_rotates: A refresh brings a new refresh token; otherwise the old one stays valid (RFC 6749 §6).
    """

    contract: Auth
    client: ApiClient
    counters: Counters = field(default_factory=Counters)
    issued: list[str] = field(default_factory=list)
    revoked: bool = False
    refresh_rotates: bool = True

    def __post_init__(self) -> None:
        self._codes: dict[str, float] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: set[str] = set()
        self._spent_refresh: set[str] = set()
        self._valid_from = 0.0
        self._calls: set[asyncio.Task[None]] = set()
        self._header = template_pattern(self.contract.header.format)
        requests = {
            "code": self.contract.code,
            "token": self.contract.token,
            "refresh": self.contract.refresh,
            "validate": self.contract.validate_,
        }
        self.routes: dict[str, dict[str, AuthRequest]] = {}
        for name, request in requests.items():
            self.routes.setdefault(request.path.strip("/"), {})[name] = request

    def expire_tokens(self) -> None:
        """Expire every access token issued so far. Refresh tokens stay valid."""
        self._valid_from = time.monotonic() + self.client.token_seconds

    def check_header(self, request: web.BaseRequest) -> None:
        """Check the access token in the request's header, and count one use of it.

        Raises:
            TokenRefused: The header is missing or malformed, or the token is unknown, expired or used up.
        """
        name = self.contract.header.name
        sent = request.headers.get(name)
        if sent is None:
            raise TokenRefused(f"the access token in the header {name} is missing")
        match = self._header.fullmatch(sent)
        if match is None:
            raise TokenRefused(f"the access token's header {name} does not have the form {self.contract.header.format}")
        access = self._live(match["access_token"])
        if access is None:
            raise TokenRefused("the access token is unknown or has expired")
        if access.uses_left is not None:
            access.uses_left -= 1

    async def respond(self, path: str, request: web.BaseRequest) -> Response:
        """Answer a request of the auth flow. Raises RequestRefused."""
        candidates = self.routes[path]
        right_method = {name: r for name, r in candidates.items() if r.method == request.method}
        if not right_method:
            raise RequestRefused(405, f"the method must be {next(iter(candidates.values())).method}")
        problem = RequestRefused(400, "")
        for name, expected in right_method.items():
            try:
                values = self._values(expected, await sent_parameters(request, expected.send_as))
            except RequestRefused as refused:
                problem = refused
            else:
                steps: dict[str, Callable[[dict[str, str]], Response]] = {
                    "code": self._code,
                    "token": self._token,
                    "refresh": self._refreshed,
                    "validate": self._validated,
                }
                return steps[name](values)
        raise problem

    def _values(self, expected: AuthRequest, sent: dict[str, Json]) -> dict[str, str]:
        """Read the placeholders' values; the request must have exactly the contract's fields."""
        if sent.keys() != expected.fields.keys():
            raise RequestRefused(400, f"expected exactly these parameters: {', '.join(sorted(expected.fields))}")
        values: dict[str, str] = {}
        for name, template in expected.fields.items():
            match = template_pattern(template, value=".*").fullmatch(str(sent[name]))
            if match is None:
                raise RequestRefused(400, f"the parameter {name} does not have the expected form")
            values |= match.groupdict()
        return values

    def _check_client(self, values: dict[str, str]) -> None:
        right = {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        if self.revoked or any(value != values.get(name, value) for name, value in right.items()):
            raise RequestRefused(401, "the API client is unknown, its secret is wrong, or it was revoked")

    def _code(self, values: dict[str, str]) -> Response:
        self._check_client(values)
        code = self._new_secret()
        self._codes[code] = time.monotonic() + CODE_SECONDS
        if self.client.endpoint:
            call = asyncio.get_running_loop().create_task(
                self._send_code(self.client.endpoint, code, values.get("state", ""))
            )
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            return _response({"status": "sent"})
        return _response({self.contract.code.auth_code[0]: code})

    async def _send_code(self, endpoint: str, code: str, state: str) -> None:
        url = URL(endpoint).update_query({self.contract.callback.parameter: code})
        if self.contract.callback.state:
            url = url.update_query({self.contract.callback.state: state})
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
                await session.get(url)
        except (aiohttp.ClientError, TimeoutError):
            return  # The caller is not notified of an endpoint that cannot be reached.

    def _token(self, values: dict[str, str]) -> Response:
        self._check_client(values)
        if self._codes.pop(values.get("auth_code", ""), 0.0) < time.monotonic():
            raise RequestRefused(400, "the auth code is unknown, was used before, or has expired")
        self.counters.logins += 1
        return self._pair(self.contract.token)

    def _refreshed(self, values: dict[str, str]) -> Response:
        if self.revoked:
            raise RequestRefused(400, "the API client was revoked")
        self._check_client(values)
        token = values.get("refresh_token", "")
        if token in self._spent_refresh:
            self.counters.refresh_reuses += 1
            raise RequestRefused(400, "the refresh token was used before")
        if token not in self._refresh:
            raise RequestRefused(400, "the refresh token is unknown")
        self.counters.refreshes += 1
        if not self.refresh_rotates:
            return self._pair(self.contract.refresh, with_refresh_token=False)
        self._refresh.remove(token)
        self._spent_refresh.add(token)
        return self._pair(self.contract.refresh)

    def _validated(self, values: dict[str, str]) -> Response:
        valid = self._live(values.get("access_token", "")) is not None
        if places := self.contract.validate_.valid:
            return _response({places[0]: valid})
        if not valid:
            raise RequestRefused(401, "the access token is unknown or has expired")
        return _response({})

    def _pair(self, request: TokenRequest, *, with_refresh_token: bool = True) -> Response:
        access = self._new_secret()
        self._access[access] = _Access(time.monotonic() + self.client.token_seconds, self.client.token_uses)
        values: dict[str, Json] = {request.access_token[0]: access}
        if with_refresh_token:
            refresh = self._new_secret()
            self._refresh.add(refresh)
            values[request.refresh_token[0]] = refresh
        if request.expires_in:
            values[request.expires_in[0]] = int(self.client.token_seconds)
        return _response(values)

    def _live(self, token: str) -> _Access | None:
        access = self._access.get(token)
        if access is None or self.revoked or access.uses_left == 0:
            return None
        return access if access.expires > max(time.monotonic(), self._valid_from) else None

    def _new_secret(self) -> str:
        secret = secrets.token_urlsafe(24)
        self.issued.append(secret)
        return secret


def _is_url(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _response(values: dict[str, Json]) -> Response:
    """A response with each value at its path; ``@body`` makes the value the whole body, as text."""
    if "@body" in values:
        return Response(200, str(values["@body"]).encode(), content_type="text/plain")
    body: dict[str, Json] = {}
    for path, value in values.items():
        put(body, path, value)
    return Response(200, json_bytes(body))
