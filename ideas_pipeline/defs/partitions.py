"""Days of a community as Dagster's partitions: which streams have them, which are asked for, what they hold."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date, datetime

import dagster as dg

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.planning import window_of
from ideas_pipeline.sync.run import Window
from ideas_pipeline.warehouse.counts import rows_by_day
from ideas_pipeline.warehouse.warehouse import Warehouse

ABOUT = (
    "A day holds the records that were made on it. Materializing days, as many at once as you like, reads them anew "
    "and leaves the nightly state alone. All days of a run are marked, or none: after a failure launch the same days "
    "again, and it goes on from the lists that are read. A sync that is proven complete has all days up to yesterday: "
    "it marks them, a month at a time, the newest first. Days without a mark need no backfill where `completeness` "
    "passes.\n\n"
    "**To sync now**, without days: Automation › `nightly_sync_schedule` › Preview tick result › Continue › Launch "
    "all, or `ideas-pipeline sync`. The button *Materialize* always asks for days, and reads those alone."
)

# So many days a run marks at most: each is a line in its log. The older ones follow in the nights after.
_MARKED_AT_ONCE = 31


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
    """The days that a run marks which has proven a stream complete, as it was ``at`` a moment, in order.

    A list that is proven complete has all of its days: yesterday is marked, and what lacks a mark. ``at`` knows its
    zone.
    """
    ended = days(settings).get_partition_keys(current_time=at)
    return [day for day in ended if day not in marked or day == ended[-1]][-_MARKED_AT_ONCE:]


def day_counts(
    warehouse: Warehouse, settings: Settings, contract: Contract, stream: str, keys: Sequence[str]
) -> dict[str, int]:
    """By partition key, in order of time, how many rows there are of the day."""
    if not keys:
        return {}
    window = window_of(date.fromisoformat(keys[0]), date.fromisoformat(keys[-1]), settings.timezone)
    with warehouse.reading() as tx:
        counts = rows_by_day(tx, stream, contract.streams[stream].cursor, window.start, window.end, settings.timezone)
    return {key: counts[date.fromisoformat(key)] for key in keys}
