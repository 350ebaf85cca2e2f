"""A runnable Ideas API with a living community: a test double, a demo and a benchmark's server. It is a stand-in."""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from aiohttp import web

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.auth import AuthServer, Counters
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.server import BASE_PATH, IdeasServer
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.truth import Tables


class Simulator(IdeasServer):
    """Serves ``tables`` as ``contract`` says, from a thread of its own, within a ``with`` block.

    latency          seconds before each answer
    rate_limit       requests a second; more are refused with 429
    token_seconds    life of an access token in seconds
    token_uses       API calls for which an access token is good (None: any number)
    page_cap         the largest page that is ever given (None: as asked for)
    endpoint         auth codes are sent to this URL and not returned
    quirks           habits of the JSON
    living           the community that the clock of the control route advances; its tables are ``tables``
    host, port       where to listen; port 0 takes a free one
    client_id, client_secret    those of the API client; random unless given

    While it serves: change the tables within ``changing()``, add to ``faults``, set ``before_page``, ``latency``,
    ``rate_limit`` or ``page_cap``; ``account(…)`` says what the API's account may see;
    ``auth.expire_tokens()`` and ``auth.revoked = True`` end tokens or the client.

    Raises OSError or UnicodeError on entering where it cannot listen, ValueError for a contract that no API could have
    and for an endpoint that is no address.
    """

    def __init__(
        self,
        contract: Contract,
        tables: Tables,
        *,
        latency: float = 0.0,
        rate_limit: int | None = None,
        token_seconds: float = 3600,
        token_uses: int | None = None,
        page_cap: int | None = None,
        endpoint: str | None = None,
        quirks: Quirks = Quirks(),  # noqa: B008 - it is frozen, so all callers may share it
        living: LivingCommunity | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> None:
        auth = AuthServer(
            contract.auth,
            client_id or secrets.token_hex(8),
            client_secret or secrets.token_urlsafe(24),
            token_seconds,
            token_uses,
            endpoint,
        )
        super().__init__(
            contract,
            tables,
            auth,
            latency=latency,
            rate_limit=rate_limit,
            page_cap=page_cap,
            quirks=quirks,
            living=living,
        )
        self.base_url = ""
        self._host = host
        self._port = port

    @property
    def client_id(self) -> str:
        return self.auth.client_id

    @property
    def client_secret(self) -> str:
        return self.auth.client_secret

    @property
    def counters(self) -> Counters:
        return self.auth.counters

    @property
    def issued_secrets(self) -> list[str]:
        """Every auth code and token that was ever issued: what a search for leaks looks for."""
        return self.auth.issued

    def reset_log(self) -> None:
        """Forget the requests so far, and start counting from zero."""
        self.log.clear()
        self.auth.counters = Counters()

    def __enter__(self) -> Self:
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="simulator", daemon=True)
        self._thread.start()
        host = "127.0.0.1" if self._host == "0.0.0.0" else self._host  # noqa: S104 - compared, not bound
        self.base_url = f"http://{f'[{host}]' if ':' in host else host}:{ready.result()}{BASE_PATH}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, ready: Future[int]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:
            if ready.done():
                raise
            # Who waits for the start must hear that there is none, whatever it was.
            ready.set_exception(error)

    async def _serve(self, ready: Future[int]) -> None:
        runner = web.ServerRunner(web.Server(self.handle, access_log=None), shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, backlog=512).start()
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            ready.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            await runner.cleanup()


def serve(simulator: Simulator, announce: Callable[[Simulator], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``announce`` is called once requests are answered. For a process of its own."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    simulator.prepare()
    gc.freeze()  # A large community never becomes garbage: looking through it again and again costs pauses.
    with simulator:
        announce(simulator)
        stop.wait()
