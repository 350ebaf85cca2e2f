"""A simulated API whose answers to some requests come from the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.responses import Response
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.end_to_end.pipeline import village

Respond = Callable[[web.BaseRequest, str], Response | None]


class OddSimulator(Simulator):
    """Answers the requests for which ``odd`` returns None."""

    odd: Respond | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = self.odd(request, request.rel_url.raw_path) if self.odd else None
        if response is None:
            return await super().handle(request)
        return web.Response(
            status=response.status, body=response.body, headers=response.headers, content_type=response.content_type
        )


@contextmanager
def odd(contract: Contract, respond: Respond | None = None) -> Iterator[OddSimulator]:
    with OddSimulator(contract, village()) as simulator:
        simulator.odd = respond
        yield simulator
