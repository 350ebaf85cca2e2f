"""Daily partitions: the days of a community, the window of a run, and the rows per day."""

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
    "A day holds the records that were made on it. Materializing days (any number at once) reads them again and does "
    "not change what the next night reads. A run marks all of its days or none: after a failure, launch the same days "
    "again, and the run continues with the scopes that are not read yet. A complete sync covers all days up to "
    "yesterday and marks them, 31 per night, the newest first. Days without a mark need no backfill if `completeness` "
    "passes.\n\n"
    "**To sync now**, without days: Automation › `nightly_sync_schedule` › Preview tick result › Continue › Launch "
    "all, or `ideas-pipeline sync`. The button *Materialize* always asks for days and reads only those."
)

# A run marks this many days at most, because each is a line in its log. Older ones follow in the next nights.
_MARKED_AT_ONCE = 31


def days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Every day from IDEAS_START_DATE to yesterday, in IDEAS_TIMEZONE."""
    return dg.DailyPartitionsDefinition(start_date=settings.start_date.isoformat(), timezone=settings.timezone)


def window_of_run(context: dg.AssetExecutionContext) -> Window | None:
    """The window of the run, from the start of its first day to the end of its last; None for a run without days."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    window = context.partition_time_window
    return Window(window.start, window.end)


def days_to_mark(settings: Settings, marked: Set[str], at: datetime) -> list[str]:
    """The days that a complete sync marks, in order: yesterday, and the newest days without a mark.

    Args:
        settings: the first day, and the time zone of the days.
        marked: the days that are marked already.
        at: the moment as of which the sync is complete; timezone-aware.
    """
    ended = days(settings).get_partition_keys(current_time=at)
    return [day for day in ended if day not in marked or day == ended[-1]][-_MARKED_AT_ONCE:]


def day_counts(
    warehouse: Warehouse, settings: Settings, contract: Contract, stream: str, keys: Sequence[str]
) -> dict[str, int]:
    """The number of rows per day. ``keys``: the days, in order."""
    if not keys:
        return {}
    window = window_of(date.fromisoformat(keys[0]), date.fromisoformat(keys[-1]), settings.timezone)
    with warehouse.reading() as tx:
        counts = rows_by_day(tx, stream, contract.streams[stream].cursor, window.start, window.end, settings.timezone)
    return {key: counts[date.fromisoformat(key)] for key in keys}
