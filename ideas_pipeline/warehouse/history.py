"""History of ideas: intervals start and end in the transaction that changes the ideas, so that both agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY, LABEL
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction, refresh

_IDEAS, _LABELS = TABLES["ideas"], TABLES["idea_labels"]
_CHALLENGES, _STAGES = TABLES["challenges"], TABLES["challenge_stages"]
_HISTORY = IDEA_HISTORY.c

# The ideas that this transaction changed, and the time at which their intervals end and start.
_TOUCHED = sa.Table(
    "_staged_history",
    sa.MetaData(),
    sa.Column("idea_id", _HISTORY.idea_id.type, primary_key=True),
    sa.Column("at", _HISTORY.observed_from.type, nullable=False),
    prefixes=["TEMPORARY"],
)


def record(tx: Transaction, ids: sa.Select[tuple[str]], run_id: str, at: datetime) -> None:
    """Update the history of the ideas among ``ids`` that were written at ``at``.

    Call it in the transaction that wrote the ideas, after their labels were written. An interval ends if the idea no
    longer has its value, or if the idea is marked deleted; a value without an open interval gets one. Nothing is
    written if no value changed. The first call for a community records all of its live ideas.

    Args:
        tx: A transaction that writes.
        ids: Selects the ids of the ideas.
        run_id: The run that wrote them.
        at: When they were written; timezone-aware.
    """
    is_first = not tx.scalar(sa.select(sa.exists().where(tx.owns(IDEA_HISTORY))))
    _TOUCHED.create(tx.connection, checkfirst=False)
    if _touch(tx, None if is_first else ids, at):
        refresh(tx.connection, IDEA_HISTORY)
        _go_forward(tx, at)
        _close(tx, run_id)
        _open(tx, run_id, is_first)
    _TOUCHED.drop(tx.connection, checkfirst=False)


def _touch(tx: Transaction, ids: sa.Select[tuple[str]] | None, at: datetime) -> int:
    """Stage the ideas among ``ids`` that were written at ``at``, or all live ideas if it is None. Return how many."""
    if ids is None:
        which = tx.live(_IDEAS)
    else:
        labels_changed = sa.exists().where(
            tx.owns(_LABELS), _LABELS.c.idea_id == _IDEAS.c.id, _LABELS.c._changed_at == at
        )
        which = sa.and_(tx.owns(_IDEAS), _IDEAS.c.id.in_(ids), sa.or_(_IDEAS.c._changed_at == at, labels_changed))
    found = sa.select(_IDEAS.c.id, sa.literal(at, _TOUCHED.c.at.type)).where(which)
    inserted = sa.insert(_TOUCHED).from_select(["idea_id", "at"], found).execution_options(preserve_rowcount=True)
    return tx.execute(inserted).rowcount


def _go_forward(tx: Transaction, at: datetime) -> None:
    """Move the time of ideas whose history already passed it to just after their last time.

    A clock can be set back. Without this, intervals would end before they start.
    """
    last = sa.func.max(sa.func.coalesce(_HISTORY.observed_to, _HISTORY.observed_from))
    passed = tx.execute(
        sa.select(_HISTORY.idea_id, last)
        .where(tx.owns(IDEA_HISTORY), _HISTORY.idea_id.in_(sa.select(_TOUCHED.c.idea_id)))
        .group_by(_HISTORY.idea_id)
        .having(last >= at)
    ).all()
    if passed:
        tx.execute(
            sa.update(_TOUCHED).where(_TOUCHED.c.idea_id == sa.bindparam("of_idea")).values(at=sa.bindparam("after")),
            [{"of_idea": idea, "after": utc(moment) + timedelta(microseconds=1)} for idea, moment in passed],
        )


def _close(tx: Transaction, run_id: str) -> None:
    """End the open intervals of staged ideas that no longer have the value."""
    now = _now(tx)
    tx.execute(
        sa.update(IDEA_HISTORY)
        .where(
            _is_open(tx),
            # Redundant, but lets SQLite use the primary-key index instead of scanning the community.
            _HISTORY.idea_id.in_(sa.select(_TOUCHED.c.idea_id).correlate(None)),
            _HISTORY.idea_id == _TOUCHED.c.idea_id,
            ~sa.exists().where(_same(now)),
        )
        .values(observed_to=_TOUCHED.c.at, _run_id=run_id)
    )


def _open(tx: Transaction, run_id: str, is_first: bool) -> None:
    """Start an interval for each value of staged ideas that has no open interval."""
    now = _now(tx)
    first = sa.true() if is_first else now.c.first_seen_at == _TOUCHED.c.at
    rows = (
        sa.select(
            sa.literal(tx.community, _HISTORY.community.type),
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
        .where(~sa.exists().where(_is_open(tx), _same(now)))
    )
    names = ["community", "idea_id", "attribute", "value", "observed_from", "challenge_id", "name", "source_at"]
    tx.execute(sa.insert(IDEA_HISTORY).from_select([*names, "is_left_censored", "_run_id"], rows))


def _is_open(tx: Transaction) -> sa.ColumnElement[bool]:
    return sa.and_(tx.owns(IDEA_HISTORY), _HISTORY.observed_to.is_(None))


def _same(now: sa.Subquery) -> sa.ColumnElement[bool]:
    """Condition: an interval has one of the current values."""
    return sa.and_(
        _HISTORY.idea_id == now.c.idea_id,
        _HISTORY.attribute == now.c.attribute,
        _HISTORY.value == now.c.value,
        _HISTORY.challenge_id.is_not_distinct_from(now.c.challenge_id),
    )


def _now(tx: Transaction) -> sa.Subquery:
    """The current values of the staged ideas: one row per attribute that has a value, and per label."""
    touched = sa.and_(tx.live(_IDEAS), _IDEAS.c.id.in_(sa.select(_TOUCHED.c.idea_id)))
    nothing = sa.cast(sa.null(), _HISTORY.name.type)
    names = {
        "challenge": _named(tx, _CHALLENGES.c.title, _CHALLENGES.c.id == _IDEAS.c.challenge_id),
        "stage": _named(
            tx,
            _STAGES.c.name,
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

    labelled = sa.and_(tx.live(_LABELS), _LABELS.c.idea_id == _IDEAS.c.id)
    return sa.union_all(
        *(rows(a, _IDEAS.c[column], names.get(a, nothing)) for a, column in ATTRIBUTES.items()),
        rows(LABEL, _LABELS.c.label_id, _LABELS.c.name).where(labelled),
    ).subquery("now")


def _named(tx: Transaction, name: sa.Column[Any], which: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.select(name).where(tx.owns(name.table), which).correlate(_IDEAS).scalar_subquery()
