"""Requests to the live API within a budget. Reads only, besides the requests of the login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from typing import Literal
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.errors import IdeasApiError, RateLimited, Unavailable
from ideas_pipeline.fit.evidence import Exchange, path_below
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.transport import Parameters, Transport

LIVE = "the API"


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A request of the auth flow, as in the contract: ``fields`` maps a parameter to a template."""

    method: Literal["GET", "POST"]
    path: str
    send_as: SendAs
    fields: Mapping[str, str]


class Stopped(Exception):
    """No more requests can be sent now. The message says why, as a sentence, and what to do."""


@dataclass
class Session:
    """The live API.

    Attributes:
        transport: the connections; it limits the rate and retries.
        credentials: client id and secret.
        most: the number of requests that may be sent, retries included.
        reserved: how many of them are kept for later.
        say: hears what is being tried.
        header: the header with the token; empty before the login.
        seen: every exchange so far.
    """

    transport: Transport
    credentials: Credentials
    most: int
    say: Callable[[str], None]
    reserved: int = 0
    header: dict[str, str] = field(default_factory=dict, repr=False)
    seen: list[Exchange] = field(default_factory=list, repr=False)

    @property
    def left(self) -> int:
        """How many requests may still be sent."""
        return self.most - self.reserved - self.transport.requests

    def get(
        self,
        path: str,
        values: Mapping[str, Json] | None = None,
        *,
        header: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Read a path with the token, or with ``header`` instead. Raises Stopped and Unavailable."""
        headers = self.header if header is None else header
        return self._send(Exchange(LIVE, "GET", path, values or {}, "query", CaseInsensitiveDict(headers)))

    def authenticate(self, request: LoginRequest, known: Mapping[str, str]) -> Exchange:
        """Send a request of the auth flow, with ``known`` in its placeholders. Raises as ``get``."""
        own = {
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret,
            "state": token_urlsafe(),
        }
        values = {name: template.format_map(own | dict(known)) for name, template in request.fields.items()}
        return self._send(Exchange(LIVE, request.method, request.path, values, request.send_as))

    def _send(self, asked: Exchange) -> Exchange:
        """Send a request.

        Raises:
            Stopped: the budget is spent, or the API demands a pause or stopped answering.
            Unavailable: the API does not answer the first request.
        """
        if self.left <= 0:
            raise Stopped(
                f"The budget of {self.most} requests is spent. Run fit again, with --requests {self.most * 2} if it "
                "does not get further: what was found is kept."
            )
        exchange = self._exchange(asked)
        self.seen.append(exchange)
        return exchange

    def _exchange(self, asked: Exchange) -> Exchange:
        try:
            response = self.transport.send(
                asked.method,
                asked.path,
                Parameters(asked.values, asked.send_as),
                headers=asked.headers,
                idempotent=asked.method == "GET",
                lenient=True,
            )
        except RateLimited as error:
            why = f"The API demands a pause: {error.message}. Run fit again later: what was found is kept."
            raise Stopped(why) from None
        except Unavailable as error:
            if error.status is None and not self.seen:
                raise
            if error.status is None:
                raise Stopped(f"The API stopped answering: {error.message}. What was found is kept.") from None
            return replace(asked, status=error.status, problem=error.message)
        except IdeasApiError as error:
            return replace(asked, status=error.status, problem=error.message)
        return replace(
            asked,
            status=response.status,
            body=response.body,
            text="" if isinstance(response.body, dict | list) else response.text,
            answer_headers=CaseInsensitiveDict(response.headers),
            received_at=response.received_at,
            refuses_token=response.refuses_token,
            states_error=response.states_error,
        )

    def below_base(self, url: str) -> str | None:
        """The path below the API's address of an absolute or rooted URL; None if it leads elsewhere."""
        base, parts = urlsplit(self.transport.base_url), urlsplit(url)
        if parts.netloc and parts.netloc != base.netloc:
            return None
        return path_below(parts.path, base.path)
