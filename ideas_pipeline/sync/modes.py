"""How much of a community a run reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Incremental:
    """What may have changed, and a share of the rest, so that every list is verified anew within some days."""


@dataclass(frozen=True, slots=True)
class Full:
    """Every list; where a full run broke off, the lists that it has not proven."""


@dataclass(frozen=True, slots=True)
class Window:
    """Every record whose cursor lies in [start, end), whatever is known of its list. Both know their zone.

    Concludes nothing from what is missing, and leaves the state of the nightly runs alone.
    """

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """Every list as it was archived. Concludes nothing from what is missing, and leaves the nightly state alone."""


Mode = Incremental | Full | Window | Replay


def name(mode: Mode) -> str:
    """The mode as ``_sync_runs`` calls it."""
    return type(mode).__name__.lower()


def moves_state(mode: Mode) -> bool:
    """Whether a run of this mode judges what is missing, and moves fingerprints and watermarks."""
    return isinstance(mode, Incremental | Full)
