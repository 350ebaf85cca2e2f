"""When a community has not been proven complete for longer than expected, and when that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

_AGAIN = timedelta(days=1)


def late_streams(
    streams: Sequence[str], proven: Mapping[str, datetime], born: datetime, limit: timedelta, now: datetime
) -> dict[str, datetime | None]:
    """The ``streams`` that were proven longer than ``limit`` ago, and when; None is never.

    ``born``: when the warehouse was created. What was never proven is late so long after that.
    """
    return {stream: proven.get(stream) for stream in streams if now - proven.get(stream, born) > limit}


def due(is_late: bool, said: datetime | None, now: datetime) -> Literal["stale", "over"] | None:
    """What is to be said now. ``said``: when it was last said that it is late; None where it was not."""
    if not is_late:
        return "over" if said else None
    return "stale" if said is None or now - said >= _AGAIN else None
