"""The data of a report: the marts of one community, read at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.marts.facts import NOT_REGISTERED
from ideas_pipeline.report.formatting import clean_title
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.tables.community import USERS
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.quality import Declaration, count_declared
from ideas_pipeline.warehouse.status import last_syncs
from ideas_pipeline.warehouse.warehouse import Warehouse

_DECLARED = {"comments": "comment_count", "votes": "vote_count"}

Rows = Sequence[sa.Row[Any]]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The verdict of a stream's last sync, and when the stream was last complete, in UTC."""

    stream: str
    verdict: str
    completed_at: datetime | None


@dataclass(frozen=True)
class Figures:
    """The marts of ``community``, by name without ``mart_``, sorted. Moments are in UTC.

    Attributes:
        response_seconds: Seconds to the first response per idea, None without one or if they are not known.
        untimed: Ideas with a response for which these seconds are not known.
        streams: Empty before the first sync.
    """

    community: str
    as_of: datetime
    built_at: datetime
    timezone: str
    streams: Sequence[StreamStatus]
    declared: Declared
    daily_activity: Rows
    challenges: Rows
    funnel: Rows
    stage_times: Rows
    response_seconds: Sequence[int | None]
    untimed: int
    response_times: Rows
    adoption: Rows
    engagement: Rows
    concentration: Rows
    cohorts: Rows
    moderation: Rows
    people: Rows

    @property
    def today(self) -> date:
        """The day of ``as_of``, in the marts' time zone."""
        return self.as_of.astimezone(ZoneInfo(self.timezone)).date()

    @property
    def names_contributors(self) -> bool:
        """Whether any contribution with a known time has a person."""
        return any(row.active_28d for row in self.daily_activity)

    @property
    def without_times(self) -> list[str]:
        """Which of ideas, comments and votes exist, but without a single known time."""
        return [
            kind
            for kind in ("ideas", "comments", "votes")
            if any(getattr(row, kind) for row in self.challenges)
            and not any(getattr(row, kind) for row in self.daily_activity)
        ]

    def challenge(self, id_: str) -> str:
        """The title to show for a challenge, even if it is not among ``challenges``."""
        return clean_title(self._titles.get(id_), f"Challenge {id_}")

    @cached_property
    def _titles(self) -> dict[str, str | None]:
        return {row.challenge_id: row.title for row in self.challenges}


# The columns that each mart is sorted by.
_SORT_COLUMNS = {
    "daily_activity": ("day",),
    "challenges": ("challenge_id",),
    "funnel": ("challenge_id", "place"),
    "stage_times": ("challenge_id", "stage_id"),
    "response_times": ("challenge_id",),
    "adoption": ("class", "challenge_id"),
    "engagement": ("engagement_level",),
    "concentration": ("top_percent",),
    "cohorts": ("cohort_month", "months_later"),
    "moderation": ("challenge_id",),
    "people": ("status",),
}


def read_figures(warehouse: Warehouse) -> Figures:
    """Read all marts at one moment. Raises WarehouseError, also if a mart of the community is not built."""
    with warehouse.reading() as tx:
        _built(tx)  # a missing table cannot be locked
    with warehouse.reading_snapshot([mart.table for mart in MARTS.values()]) as tx:
        built = _built(tx)
        ideas = MARTS["mart_idea_lifecycle"].table
        seconds = ideas.c.seconds_to_first_response
        untimed = sa.select(sa.func.count()).where(tx.owns(ideas), ideas.c.responses > 0, seconds.is_(None))
        return Figures(
            community=tx.community,
            as_of=utc(built.as_of),
            built_at=utc(built.built_at),
            timezone=built.timezone,
            streams=[StreamStatus(sync.stream, sync.verdict, at) for sync, at in last_syncs(tx)],
            declared=read_declared(tx),
            response_seconds=tx.scalars(sa.select(seconds).where(tx.owns(ideas))).all(),
            untimed=tx.scalar(untimed) or 0,
            **{name: _rows(tx, name) for name in _SORT_COLUMNS},
        )


def _built(tx: Transaction) -> sa.Row[Any]:
    """The row of ``_marts`` for the mart that was built last. Raises WarehouseError if a mart is not built."""
    built = tx.execute(sa.select(BUILT_MARTS).where(tx.owns(BUILT_MARTS))).all()
    if not {row.mart for row in built}.issuperset(MARTS):
        raise WarehouseError(
            f"The report of {tx.community} needs its marts, which are not built yet. "
            "Run: ideas-pipeline sync, or, if it was synced before: ideas-pipeline marts."
        )
    return max(built, key=lambda row: row.built_at)


def _rows(tx: Transaction, name: str) -> Rows:
    table = MARTS[f"mart_{name}"].table
    in_order = (table.c[column].asc().nulls_last() for column in _SORT_COLUMNS[name])
    return tx.execute(sa.select(table).where(tx.owns(table)).order_by(*in_order)).all()


@dataclass(frozen=True, slots=True)
class Count:
    """The number of ``what`` that ideas declare, added up, and the number that is ``listed`` for these ideas."""

    what: str
    declared: int
    listed: int


@dataclass(frozen=True, slots=True)
class Declared:
    """``counts``: one per column that any idea fills. ``undated``: registered people without a joining date."""

    counts: tuple[Count, ...]
    undated: int


def read_declared(tx: Transaction) -> Declared:
    """Read what the source declares about the community's current ideas and people."""
    status = sa.func.coalesce(USERS.c.status, "active")
    undated = sa.and_(tx.live(USERS), USERS.c.joined_at.is_(None), status.not_in(NOT_REGISTERED))
    counts = {
        what: count_declared(tx, Declaration("ideas", declared, what, "idea_id"))
        for what, declared in _DECLARED.items()
    }
    return Declared(
        tuple(Count(what, found.declared, found.there) for what, found in counts.items() if found.parents),
        tx.scalar(sa.select(sa.func.count()).select_from(USERS).where(undated)) or 0,
    )
