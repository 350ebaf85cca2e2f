"""An account's access to an API, as one process has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ideas_pipeline.contract.auth import ExpiredToken
from ideas_pipeline.ideas_api.auth import Auth, Credentials
from ideas_pipeline.ideas_api.authenticated import AuthenticatedTransport
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.rate_limit import RateLimiter
from ideas_pipeline.ideas_api.token_file import TokenFile
from ideas_pipeline.ideas_api.transport import Transport
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, contract_auth
from ideas_pipeline_tests.ideas_api.scripted_server import limits


class Caller:
    """What a process has: an account's access to the API at ``base_url``, with tokens in ``store``."""

    def __init__(
        self,
        base_url: str,
        store: Path,
        listener: ListenerSettings | None = None,
        expired: ExpiredToken | None = None,
        **changed: dict[str, Any],
    ) -> None:
        rates = limits(concurrency=32)
        budget = RateLimiter(rates, store.parent / "budget")
        self.transport = Transport(base_url, rates, budget, expired or ExpiredToken())
        self.store = TokenFile(store)
        credentials = Credentials(CLIENT_ID, CLIENT_SECRET)
        self.auth = Auth(contract_auth(**changed), credentials, self.store, self.transport, listener)
        self._authenticated = AuthenticatedTransport(self.auth, self.transport)

    def call(self, path: str = "ideas") -> Any:
        return self._authenticated.send("GET", path).body
