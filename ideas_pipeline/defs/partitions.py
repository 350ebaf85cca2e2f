"""Days of a community as Dagster's partitions: which streams have them, which are asked for, what they hold."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date, datetime

import dagster as dg

from ideas_pipeline.ideas_api.contract import Contract
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.modes import Window
from ideas_pipeline.sync.windows import window_of
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline.warehouse.windows import rows_by_day

ABOUT = (
    "A day holds the records that were made on it. Materializing days, as many at once as you like, reads them anew "
    "and leaves the nightly state alone. All days of a run are marked, or none: after a failure launch the same days "
    "again, and it goes on from the lists that are read. A run without days is a sync, as the nightly one."
)


# The days that a run marks go so far back: more would drown the run's log, and a night that failed is mended sooner.
_NIGHTS_BACK = 31


def days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Every day from IDEAS_START_DATE to yesterday, in IDEAS_TIMEZONE."""
    return dg.DailyPartitionsDefinition(start_date=settings.start_date.isoformat(), timezone=settings.timezone)


def window_asked_for(context: dg.AssetExecutionContext) -> Window | None:
    """The time from the beginning of the run's first day to the end of its last one; None for a run without days."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    window = context.partition_time_window
    return Window(window.start, window.end)


def proven_days(settings: Settings, marked: Set[str], at: datetime) -> list[str]:
    """The days that a run marks which read all that there was ``at`` a moment: yesterday, and those that lack a mark.

    A list that is proven complete has all its days. ``at`` knows its zone.
    """
    ended = days(settings).get_partition_keys(current_time=at)[-_NIGHTS_BACK:]
    return [day for day in ended if day not in marked or day == ended[-1]]


def day_counts(
    warehouse: Warehouse, settings: Settings, contract: Contract, stream: str, keys: Sequence[str]
) -> dict[str, int]:
    """By partition key, in order of time, how many rows there are of the day."""
    if not keys:
        return {}
    window = window_of(date.fromisoformat(keys[0]), date.fromisoformat(keys[-1]), settings.timezone)
    counts = rows_by_day(
        warehouse.engine,
        settings.community,
        stream,
        contract.streams[stream].cursor,
        window.start,
        window.end,
        settings.timezone,
    )
    return {key: counts[date.fromisoformat(key)] for key in keys}
