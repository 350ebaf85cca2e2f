"""What a backfill would cost, told from what the warehouse knows: nothing is sent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from ideas_pipeline.contract.model import Contract, Limits, Stream
from ideas_pipeline.ideas_api.pagination import Bounds
from ideas_pipeline.sync.planning import Task, plan, window_bounds
from ideas_pipeline.sync.run import Window
from ideas_pipeline.warehouse.counts import last_pace, pages_by_scope, rows_by_scope
from ideas_pipeline.warehouse.warehouse import Warehouse

# A run of fewer requests says nothing about how fast the API answers.
_TELLING = 20
# Where no such run is known: seconds from a request to its answer.
_ANSWER_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class StreamCost:
    """One stream of a backfill.

    ``asked_for``: what the API is asked for: ``the window``, ``all from its start on``, ``all up to its end``, or
    ``everything``, which is filtered on this side. ``known``: lists of which it is known how long they are.
    """

    stream: str
    lists: int
    requests: int
    known: int
    asked_for: str


@dataclass(frozen=True, slots=True)
class Cost:
    """All streams, about how many ``seconds`` they take, and ``because`` of what in words."""

    streams: list[StreamCost]
    seconds: float
    because: str

    @property
    def requests(self) -> int:
        return sum(s.requests for s in self.streams)


def estimate(warehouse: Warehouse, contract: Contract, window: Window, streams: Collection[str]) -> Cost:
    """The cost of a backfill of ``streams``. Lists that are new at the source are not known yet, and not counted.

    Raises WarehouseError.
    """
    costs = [_stream_cost(warehouse, contract, window, s) for s in contract.order() if s in streams]
    with warehouse.reading() as tx:
        paces = {c.stream: last_pace(tx, c.stream, _TELLING) for c in costs}
    return Cost(costs, *_time(costs, paces, contract.limits))


def _stream_cost(warehouse: Warehouse, contract: Contract, window: Window, stream: str) -> StreamCost:
    spec = contract.streams[stream]
    tasks = plan(warehouse, warehouse.community, stream, spec, window, goal_since=datetime.now(UTC)).tasks
    bounds = window_bounds(spec, window)
    asked_for = {
        (True, True): "the window",
        (True, False): "all from its start on",
        (False, True): "all up to its end",
        (False, False): "everything",
    }[bool(bounds.since), bool(bounds.until)]
    if bounds.open:
        requests, known = _of_whole_lists(warehouse, stream, spec, tasks)
    else:
        requests, known = _of_filtered_lists(warehouse, stream, spec, bounds, tasks), len(tasks)
    return StreamCost(stream, len(tasks), requests, known, asked_for)


def _of_whole_lists(warehouse: Warehouse, stream: str, spec: Stream, tasks: list[Task]) -> tuple[int, int]:
    """Each list as many pages as it had; twice where several pages came without a total, which proves itself."""
    with warehouse.reading() as tx:
        pages = pages_by_scope(tx, stream)
    requests = 0
    for task in tasks:
        if task.scope in pages:
            count, total_told = pages[task.scope]
            requests += count if total_told or count == 1 else 2 * count
        else:
            requests += _pages(spec, task.declared or 0)
    return requests, sum(task.scope in pages for task in tasks)


def _of_filtered_lists(warehouse: Warehouse, stream: str, spec: Stream, bounds: Bounds, tasks: list[Task]) -> int:
    """Each list as many pages as its rows in the window fill; several pages are read twice, to be proven."""
    with warehouse.reading() as tx:
        rows = rows_by_scope(tx, stream, spec.cursor, bounds.since, bounds.until)
    counts = [_pages(spec, rows.get(task.scope, 0)) for task in tasks]
    return sum(count if count == 1 else 2 * count for count in counts)


def _pages(spec: Stream, rows: int) -> int:
    """How many pages so many rows take. Where no total tells the end, numbered pages go on up to an empty one."""
    paging = spec.paging
    if paging.style == "none":
        return 1
    full = max(1, -(-rows // paging.size))
    counted = paging.style in ("page", "offset")
    ends_by_empty_page = counted and (paging.total is None or rows % paging.size == 0)
    return full + 1 if rows and ends_by_empty_page else full


def _time(costs: list[StreamCost], paces: dict[str, float | None], limits: Limits) -> tuple[float, str]:
    """Seconds, and what decides them: the slowest of what may be sent and what was answered."""
    requests = sum(c.requests for c in costs)
    assumed = _ANSWER_SECONDS / limits.concurrency
    answered = sum(c.requests * (paces[c.stream] or assumed) for c in costs)
    if any(paces.values()):
        choices = {"as fast as the API answered in the last runs": answered}
    else:
        choices = {f"{limits.concurrency} at a time, if an answer takes {_ANSWER_SECONDS:g} seconds": answered}
    if limits.requests_per_second:
        rate = f"the contract's limit of {limits.requests_per_second:g} requests a second"
        choices[rate] = requests / limits.requests_per_second
    if limits.requests_per_hour and requests > limits.requests_per_hour:
        budget = f"the contract's limit of {limits.requests_per_hour:,} requests an hour"
        choices[budget] = 3600 * requests / limits.requests_per_hour
    because = max(choices, key=lambda reason: choices[reason])
    return choices[because], because
