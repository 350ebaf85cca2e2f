"""The history of ideas: intervals end and begin in the transaction that changes the ideas, so that both agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.columns import is_live
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY, LABEL
from ideas_pipeline.warehouse.database import refresh, utc

_IDEAS, _LABELS = TABLES["ideas"], TABLES["idea_labels"]
_CHALLENGES, _STAGES = TABLES["challenges"], TABLES["challenge_stages"]
_HISTORY = IDEA_HISTORY.c

# The ideas that this transaction changed, and the moment at which their intervals end and begin.
_TOUCHED = sa.Table(
    "_staged_history",
    sa.MetaData(),
    sa.Column("idea_id", _HISTORY.idea_id.type, primary_key=True),
    sa.Column("at", _HISTORY.observed_from.type, nullable=False),
    prefixes=["TEMPORARY"],
)


def record(connection: sa.Connection, community: str, ids: sa.Select[tuple[str]], run_id: str, at: datetime) -> None:
    """Brings the history of the ideas among ``ids`` that were written at ``at`` up to what these ideas are now.

    To be called in the transaction that wrote them, after their labels too. ``at`` knows its zone. An interval whose
    value is no longer there ends, and so do all of a deleted idea; a value that has no open interval gets one. Nothing
    is written where nothing of this changed. The first call for a community records all its live ideas.
    """
    begins = not connection.scalar(sa.select(sa.exists().where(_HISTORY.community == community)))
    _TOUCHED.create(connection, checkfirst=False)
    if _touch(connection, community, None if begins else ids, at):
        refresh(connection, IDEA_HISTORY)
        _go_forward(connection, community, at)
        _close(connection, community, run_id)
        _open(connection, community, run_id, begins)
    _TOUCHED.drop(connection, checkfirst=False)


def _touch(connection: sa.Connection, community: str, ids: sa.Select[tuple[str]] | None, at: datetime) -> int:
    """Notes which ideas to look at: those among ``ids`` that were written at ``at``; all live ones where it is None."""
    if ids is None:
        which = is_live(_IDEAS, community)
    else:
        labels_changed = sa.exists().where(
            _LABELS.c.community == community, _LABELS.c.idea_id == _IDEAS.c.id, _LABELS.c._changed_at == at
        )
        which = sa.and_(
            _IDEAS.c.community == community,
            _IDEAS.c.id.in_(ids),
            sa.or_(_IDEAS.c._changed_at == at, labels_changed),
        )
    found = sa.select(_IDEAS.c.id, sa.literal(at, _TOUCHED.c.at.type)).where(which)
    inserted = sa.insert(_TOUCHED).from_select(["idea_id", "at"], found).execution_options(preserve_rowcount=True)
    return connection.execute(inserted).rowcount


def _go_forward(connection: sa.Connection, community: str, at: datetime) -> None:
    """Moves the moment of ideas whose history has passed it already to just after their last one.

    A clock can be set back. What was seen later is later, or intervals would end before they begin.
    """
    last = sa.func.max(sa.func.coalesce(_HISTORY.observed_to, _HISTORY.observed_from))
    passed = connection.execute(
        sa.select(_HISTORY.idea_id, last)
        .where(_HISTORY.community == community, _HISTORY.idea_id.in_(sa.select(_TOUCHED.c.idea_id)))
        .group_by(_HISTORY.idea_id)
        .having(last >= at)
    ).all()
    if passed:
        connection.execute(
            sa.update(_TOUCHED).where(_TOUCHED.c.idea_id == sa.bindparam("of_idea")).values(at=sa.bindparam("after")),
            [{"of_idea": idea, "after": utc(moment) + timedelta(microseconds=1)} for idea, moment in passed],
        )


def _close(connection: sa.Connection, community: str, run_id: str) -> None:
    """Ends the open intervals of touched ideas whose value is no longer there."""
    now = _now(community)
    connection.execute(
        sa.update(IDEA_HISTORY)
        .where(
            _is_open(community),
            # Says nothing new, but keeps SQLite from walking through the whole community.
            _HISTORY.idea_id.in_(sa.select(_TOUCHED.c.idea_id).correlate(None)),
            _HISTORY.idea_id == _TOUCHED.c.idea_id,
            ~sa.exists().where(_same(now)),
        )
        .values(observed_to=_TOUCHED.c.at, _run_id=run_id)
    )


def _open(connection: sa.Connection, community: str, run_id: str, begins: bool) -> None:
    """Begins an interval for each value of touched ideas that has no open one."""
    now = _now(community)
    first = sa.true() if begins else now.c.first_seen_at == _TOUCHED.c.at
    rows = (
        sa.select(
            sa.literal(community, _HISTORY.community.type),
            now.c.idea_id,
            now.c.attribute,
            now.c.value,
            _TOUCHED.c.at,
            now.c.challenge_id,
            now.c.name,
            now.c.source_at,
            sa.case((first, sa.true()), else_=sa.false()),
            sa.literal(run_id, _HISTORY._run_id.type),
        )
        .join_from(now, _TOUCHED, _TOUCHED.c.idea_id == now.c.idea_id)
        .where(~sa.exists().where(_is_open(community), _same(now)))
    )
    names = ["community", "idea_id", "attribute", "value", "observed_from", "challenge_id", "name", "source_at"]
    connection.execute(sa.insert(IDEA_HISTORY).from_select([*names, "is_left_censored", "_run_id"], rows))


def _is_open(community: str) -> sa.ColumnElement[bool]:
    return sa.and_(_HISTORY.community == community, _HISTORY.observed_to.is_(None))


def _same(now: sa.Subquery) -> sa.ColumnElement[bool]:
    """Whether an interval is one of what is there now."""
    return sa.and_(
        _HISTORY.idea_id == now.c.idea_id,
        _HISTORY.attribute == now.c.attribute,
        _HISTORY.value == now.c.value,
        _HISTORY.challenge_id.is_not_distinct_from(now.c.challenge_id),
    )


def _now(community: str) -> sa.Subquery:
    """What the touched ideas are now: a row for each attribute that has a value, and for each label."""
    touched = sa.and_(is_live(_IDEAS, community), _IDEAS.c.id.in_(sa.select(_TOUCHED.c.idea_id)))
    nothing = sa.cast(sa.null(), _HISTORY.name.type)
    names = {
        "challenge": _named(_CHALLENGES.c.title, community, _CHALLENGES.c.id == _IDEAS.c.challenge_id),
        "stage": _named(
            _STAGES.c.name,
            community,
            sa.and_(_STAGES.c.challenge_id == _IDEAS.c.challenge_id, _STAGES.c.id == _IDEAS.c.stage_id),
        ),
    }

    def rows(attribute: str, value: sa.Column[Any], name: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return sa.select(
            _IDEAS.c.id.label("idea_id"),
            sa.literal(attribute, _HISTORY.attribute.type).label("attribute"),
            value.label("value"),
            (_IDEAS.c.challenge_id if attribute == "stage" else nothing).label("challenge_id"),
            name.label("name"),
            _IDEAS.c.updated_at.label("source_at"),
            _IDEAS.c._first_seen_at.label("first_seen_at"),
        ).where(touched, value.is_not(None))

    labelled = sa.and_(is_live(_LABELS, community), _LABELS.c.idea_id == _IDEAS.c.id)
    return sa.union_all(
        *(rows(a, _IDEAS.c[column], names.get(a, nothing)) for a, column in ATTRIBUTES.items()),
        rows(LABEL, _LABELS.c.label_id, _LABELS.c.name).where(labelled),
    ).subquery("now")


def _named(name: sa.Column[Any], community: str, which: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.select(name).where(name.table.c.community == community, which).correlate(_IDEAS).scalar_subquery()
