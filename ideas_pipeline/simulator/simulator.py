"""The simulated Ideas API on a socket: in a thread of a test, or in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import signal
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from aiohttp import web

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.auth import ApiClient, Counters
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.server import BASE_PATH, IdeasServer
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.truth import Tables


class Simulator(IdeasServer):
    """Serves ``tables`` as ``contract`` describes them, from a thread of its own, within a ``with`` block.

    While it serves: change the tables within ``changing()``, add to ``faults``, set ``before_page``, ``latency``,
    ``rate_limit`` or ``page_cap``; ``account(…)`` sets the rights of the API's account;
    ``auth.expire_tokens()`` and ``auth.revoked = True`` end tokens or the client.

    Args:
        contract: What the API looks like.
        tables: The community to serve.
        client: The registered API client; one with a random id and secret unless given.
        latency: Seconds before each response.
        rate_limit: Requests per second; more are refused with 429.
        page_cap: The largest page that is ever returned (None: as requested).
        quirks: Habits of the JSON.
        living: The community that the control route's clock advances; its tables are ``tables``.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        tls: A context of a server with its certificate; without it, the API is served without TLS.

    Raises:
        ValueError: No API can be as the contract says.
        OSError: On entering the block: it cannot listen on the host and port.
        UnicodeError: On entering the block: the host is not a valid name.
    """

    def __init__(
        self,
        contract: Contract,
        tables: Tables,
        *,
        client: ApiClient | None = None,
        latency: float = 0.0,
        rate_limit: int | None = None,
        page_cap: int | None = None,
        quirks: Quirks = Quirks(),  # noqa: B008 - it is frozen, so all callers may share it
        living: LivingCommunity | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            contract,
            tables,
            client or ApiClient(),
            latency=latency,
            rate_limit=rate_limit,
            page_cap=page_cap,
            quirks=quirks,
            living=living,
        )
        self.base_url = ""
        self._host = host
        self._port = port
        self._tls = tls

    @property
    def client_id(self) -> str:
        return self.auth.client.client_id

    @property
    def client_secret(self) -> str:
        return self.auth.client.client_secret

    @property
    def counters(self) -> Counters:
        return self.auth.counters

    @property
    def issued_secrets(self) -> list[str]:
        """Every auth code and token that was ever issued; tests search for them to find leaks."""
        return self.auth.issued

    def reset_log(self) -> None:
        """Empty the log and set the counters to zero."""
        self.log.clear()
        self.auth.counters = Counters()

    def __enter__(self) -> Self:
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="simulator", daemon=True)
        self._thread.start()
        host = "127.0.0.1" if self._host == "0.0.0.0" else self._host  # noqa: S104 - compared, not bound
        scheme = "https" if self._tls else "http"
        self.base_url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{ready.result()}{BASE_PATH}"
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
            # The thread that waits for the start must fail with this error, whatever it is.
            ready.set_exception(error)

    async def _serve(self, ready: Future[int]) -> None:
        runner = web.ServerRunner(web.Server(self.handle, access_log=None), shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._tls, backlog=512).start()
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            ready.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            await runner.cleanup()


def serve(simulator: Simulator, announce: Callable[[Simulator], None]) -> None:
    """Serve until SIGTERM or SIGINT, in a process of its own.

    Args:
        simulator: The simulator to run.
        announce: Called when the simulator responds to requests.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    simulator.prepare()
    gc.freeze()  # A large community never becomes garbage; scanning it in every collection causes pauses.
    with simulator:
        announce(simulator)
        stop.wait()
