"""Estimate what syncs of a community cost before the first one, from what a check has seen. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.probe.step import Size
from ideas_pipeline.sync.estimate import assumed_time, pages_of, two_sweeps

_HOURS = 24


@dataclass(frozen=True, slots=True)
class Work:
    """About how many requests, how many ``seconds`` they take, and ``because`` of what, in words."""

    requests: int
    seconds: float
    because: str


@dataclass(frozen=True, slots=True)
class SyncCosts:
    """What syncs cost.

    Attributes:
        first: a sync that reads every list, and has to prove that each is complete.
        quiet: a nightly sync if nothing has changed.
        verified_within: in so many nights every list is read again; None if the hourly limit never allows that.
    """

    first: Work
    quiet: Work
    verified_within: int | None


def estimate_nights(contract: Contract, sizes: Mapping[str, Size], verify_days: int) -> SyncCosts | None:
    """Estimate the cost of a first sync and of a quiet night.

    Args:
        contract: how lists are paged, which show that they changed, and the limits.
        sizes: about how much of each stream the API has.
        verify_days: within how many nights every list is to be read again.

    Returns:
        None if the size of a stream is unknown.
    """
    if sizes.keys() != contract.streams.keys():
        return None
    first, always, in_turn = 0, 0, 0
    for name, spec in contract.streams.items():
        lists, rows = ceil(sizes[name].lists), round(sizes[name].rows)
        first += lists * two_sweeps(spec, rows)
        if _shows_changes(spec):
            in_turn += lists * pages_of(spec, rows)
        else:
            always += lists * (1 if spec.since or spec.probe else pages_of(spec, rows))
    limits = contract.limits
    per_night = _HOURS * limits.requests_per_hour if limits.requests_per_hour else None
    within: int | None = verify_days
    share = ceil(in_turn / verify_days)
    if per_night is not None and always + share > per_night:
        share = max(per_night - always, 0)
        within = ceil(in_turn / share) if share else None
    quiet = always + share
    return SyncCosts(Work(first, *assumed_time(first, limits)), Work(quiet, *assumed_time(quiet, limits)), within)


def _shows_changes(spec: Stream) -> bool:
    """Whether the parents of the stream's lists show that a list has not changed."""
    return bool(spec.each and spec.each.changed_when)
