"""Estimate the cost of a backfill from what the warehouse knows. Nothing is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from ideas_pipeline.contract.model import Contract, Limits, Stream
from ideas_pipeline.contract.paging import OffsetPaging, PagePaging
from ideas_pipeline.ideas_api.pagination import Bounds
from ideas_pipeline.sync.planning import ScopePlan, Times, plan, window_bounds
from ideas_pipeline.sync.run import Window
from ideas_pipeline.warehouse.counts import last_pace, pages_by_scope, rows_by_scope
from ideas_pipeline.warehouse.warehouse import Warehouse

# A run of fewer requests does not show how fast the API responds.
_TELLING = 20
# Assumed seconds from a request to its response, without such a run.
_RESPONSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class StreamCost:
    """One stream of a backfill.

    Attributes:
        stream: its name.
        lists: how many scopes are read.
        requests: how many requests that takes.
        known: how many of the scopes have a known length.
        asked_for: what is requested from the API: ``the window``, ``all from its start on``, ``all up to its end``, or
            ``everything``, which is then filtered here.
    """

    stream: str
    lists: int
    requests: int
    known: int
    asked_for: str


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of all streams: about how many ``seconds``, and ``because`` of what, in words."""

    streams: list[StreamCost]
    seconds: float
    because: str

    @property
    def requests(self) -> int:
        return sum(s.requests for s in self.streams)


def estimate(warehouse: Warehouse, contract: Contract, window: Window, streams: Collection[str]) -> Cost:
    """Estimate the cost of a backfill. Scopes that are new at the source are not known yet, and not counted.

    Args:
        warehouse: knows the scopes and their lengths.
        contract: how they are paged, and the limits.
        window: the time range.
        streams: the streams to backfill.

    Raises:
        WarehouseError: the warehouse cannot be read.
    """
    costs = [_stream_cost(warehouse, contract, window, s) for s in contract.order() if s in streams]
    with warehouse.reading() as tx:
        paces = {c.stream: last_pace(tx, c.stream, _TELLING) for c in costs}
    return Cost(costs, *_time(costs, paces, contract.limits))


def _stream_cost(warehouse: Warehouse, contract: Contract, window: Window, stream: str) -> StreamCost:
    spec = contract.streams[stream]
    now = datetime.now(UTC)
    scopes = plan(warehouse, stream, spec, window, Times(now, now)).scopes.values()
    bounds = window_bounds(spec, window)
    asked_for = {
        (True, True): "the window",
        (True, False): "all from its start on",
        (False, True): "all up to its end",
        (False, False): "everything",
    }[bool(bounds.since), bool(bounds.until)]
    if bounds.open:
        requests, known = _of_whole_scopes(warehouse, stream, spec, scopes)
    else:
        requests, known = _of_filtered_scopes(warehouse, stream, spec, bounds, scopes), len(scopes)
    return StreamCost(stream, len(scopes), requests, known, asked_for)


def _of_whole_scopes(warehouse: Warehouse, stream: str, spec: Stream, scopes: Collection[ScopePlan]) -> tuple[int, int]:
    """The requests for whole scopes, and how many of the scopes have been read before.

    A scope takes as many pages as last time; twice as many if it has several pages and no total, because two sweeps
    must then agree. A look beyond the end adds one, which weighs only in the shortest lists.
    """
    with warehouse.reading() as tx:
        pages = pages_by_scope(tx, stream)
    requests = 0
    for planned in scopes:
        if planned.scope in pages:
            count, has_total = pages[planned.scope]
            requests += count if has_total or count == 1 else 2 * count + _looks(spec) * (count == 2)
        else:
            requests += pages_of(spec, planned.declared or 0)
    return requests, sum(planned.scope in pages for planned in scopes)


def _of_filtered_scopes(
    warehouse: Warehouse, stream: str, spec: Stream, bounds: Bounds, scopes: Iterable[ScopePlan]
) -> int:
    """The requests for scopes that the API filters: as many pages as their rows in the window fill.

    Several pages take two sweeps, because nothing is known that could complete the scope after one.
    """
    with warehouse.reading() as tx:
        rows = rows_by_scope(tx, stream, spec.listed_by, spec.cursor, bounds.since, bounds.until)
    return sum(two_sweeps(spec, rows.get(planned.scope, 0)) for planned in scopes)


def two_sweeps(spec: Stream, rows: int) -> int:
    """The requests for a list of which nothing is known: two sweeps, unless a single response is all of it."""
    paging, count = spec.paging, pages_of(spec, rows)
    if count == 1:
        return 1
    again = count
    if isinstance(paging, PagePaging) and paging.total is None and 1 < paging.size < rows and paging.size_parameter:
        again = -(-rows // (paging.size - 1)) + 1  # the second sweep asks for smaller pages
    return count + again + _looks(spec)


def _looks(spec: Stream) -> int:
    """How many pages beyond an empty one are looked at: one, if nothing else says where the list ends."""
    return int(isinstance(spec.paging, PagePaging | OffsetPaging) and spec.paging.total is None)


def pages_of(spec: Stream, rows: int) -> int:
    """How many pages a number of rows takes. Without a total, numbered pages go on up to an empty one."""
    paging = spec.paging
    if paging.style == "none":
        return 1
    full = max(1, -(-rows // paging.size))
    counted = paging.style in ("page", "offset")
    ends_by_empty_page = counted and (paging.total is None or rows % paging.size == 0)
    return full + 1 if rows and ends_by_empty_page else full


def _time(costs: list[StreamCost], paces: dict[str, float | None], limits: Limits) -> tuple[float, str]:
    """Seconds, and what decides them: the slowest of the contract's limits and the API's own pace."""
    requests = sum(c.requests for c in costs)
    if not any(paces.values()):
        return assumed_time(requests, limits)
    responded = sum(c.requests * (paces[c.stream] or _assumed_pace(limits)) for c in costs)
    return _slowest(requests, responded, "as fast as the API responded in the last runs", limits)


def assumed_time(requests: int, limits: Limits) -> tuple[float, str]:
    """Seconds that requests to an API of unknown pace take, and what decides them, in words."""
    because = f"{limits.concurrency} at a time, if a response takes {_RESPONSE_SECONDS:g} seconds"
    return _slowest(requests, requests * _assumed_pace(limits), because, limits)


def _assumed_pace(limits: Limits) -> float:
    """Seconds per request."""
    return _RESPONSE_SECONDS / limits.concurrency


def _slowest(requests: int, responded: float, because: str, limits: Limits) -> tuple[float, str]:
    """How long requests take, and what decides that.

    Args:
        requests: how many.
        responded: seconds that they take if nothing but the API's pace limits them.
        because: what that pace is, in words.
        limits: the contract's.

    Returns:
        Seconds, and the slowest of the contract's limits and the API's pace, in words.
    """
    choices = {because: responded}
    if limits.requests_per_second:
        rate = f"the contract's limit of {limits.requests_per_second:g} requests per second"
        choices[rate] = requests / limits.requests_per_second
    if limits.requests_per_hour and requests > limits.requests_per_hour:
        budget = f"the contract's limit of {limits.requests_per_hour:,} requests per hour"
        choices[budget] = 3600 * requests / limits.requests_per_hour
    slowest = max(choices, key=lambda reason: choices[reason])
    return choices[slowest], slowest
