"""Shares, durations and percentiles."""

from __future__ import annotations

from datetime import datetime, timedelta


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def between(start: datetime | None, end: datetime | None) -> int | None:
    """Seconds, without the fractions of the two; None if one is unknown or they contradict each other."""
    if start is None or end is None or start > end:
        return None
    return (end.replace(microsecond=0) - start.replace(microsecond=0)) // timedelta(seconds=1)


def nearest_rank(values: list[int], percent: int) -> int | None:
    """The least value that this percentage of the values does not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None
