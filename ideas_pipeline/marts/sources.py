"""Fingerprints of what each mart is made of, so that only marts whose sources have changed are rebuilt.

Whatever writes a row of a community table sets its ``_changed_at``, so the number of rows and these times tell the
states of a table apart. One scan per table costs a small part of a build.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, every_row, literal_moment, microseconds_of
from ideas_pipeline.marts.mart import BuildContext, Mart
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.community import BANNED, TABLES, USERS
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.times import TOMORROW, utc
from ideas_pipeline.warehouse.database import Transaction

# Times of events. A time in the future is unknown to the marts until it has passed.
_TIMES = {
    "ideas": ("created_at", "published_at"),
    "comments": ("created_at",),
    "votes": ("created_at",),
    "users": ("joined_at", "last_seen_at"),
}
_REPORTED = "reported statuses"
# Lists of people. Most marts only need to know whom to leave out.
_PEOPLE = {
    "banned": USERS.c.status.in_(BANNED),
    "admins": USERS.c.role == "admin",
}


def made_of(tx: Transaction, marts: Mapping[str, Mart], context: BuildContext) -> dict[str, str]:
    """The fingerprint of everything that each mart is made of, by the name of the mart."""
    found: dict[str, Any] = {}

    def of(name: str) -> Any:
        if name in marts:
            return [of(source) for source in _sources(marts[name])]
        if name not in found:
            found[name] = _state(tx, name, context)
        return found[name]

    same = [_code(), context.timezone, _state(tx, LABEL_CLASSES.name, context)]
    return {name: _hash([same, name, of(name)]) for name in marts}


def _sources(mart: Mart) -> tuple[str, ...]:
    return (*(name for name in mart.reads if name != USERS.name or not mart.people), *mart.people)


@cache
def _code() -> str:
    """The fingerprint of the running code, read once because another version may be installed meanwhile."""
    return code_of(Path(__file__).parents[1])


def code_of(package: Path) -> str:
    """The fingerprint of the code of the marts: another version may compute other figures from the same rows.

    Args:
        package: the folder of the package that has the marts, the tables that they read, and their times.
    """
    files = [package / "times.py", *sorted(package.glob("marts/*.py")), *sorted(package.glob("tables/*.py"))]
    return _hash([file.read_text(encoding="utf-8") for file in files])


def _state(tx: Transaction, name: str, context: BuildContext) -> Any:
    """A value, ready for JSON, that differs between the states of a source."""
    if name == _REPORTED:
        # The status "erased" is the pipeline's, not the source's.
        return tx.scalar(sa.select(sa.exists().where(tx.owns(USERS), USERS.c.status != "erased")))
    if name in _PEOPLE:
        return sorted(tx.scalars(sa.select(USERS.c.id).where(tx.owns(USERS), _PEOPLE[name])))
    if name == LABEL_CLASSES.name:
        c = LABEL_CLASSES.c
        return sorted(
            [label, of] for label, of in tx.execute(sa.select(c.label_id, c["class"]).where(tx.owns(LABEL_CLASSES)))
        )
    table = IDEA_HISTORY if name == IDEA_HISTORY.name else TABLES[name]
    columns = _of_history() if table is IDEA_HISTORY else _of_rows(table, context)
    row = tx.execute(sa.select(*columns).where(every_row(table, context))).one()
    return [utc(value).isoformat() if isinstance(value, datetime) else value for value in row]


def _of_rows(table: sa.Table, context: BuildContext) -> list[sa.ColumnElement[Any]]:
    c = table.c
    # A transaction can end after a later one: the latest change alone does not show it.
    changes = sa.cast(sa.func.sum(microseconds_of(c._changed_at, context)), sa.BigInteger)
    tomorrow = literal_moment(context.as_of + TOMORROW)
    ahead = (count_if(c[name] >= tomorrow) for name in _TIMES.get(table.name, ()))
    return [sa.func.count(), sa.func.max(c._changed_at), changes, *ahead]


def _of_history() -> list[sa.ColumnElement[Any]]:
    """The history has no ``_changed_at``: intervals begin and end, and a policy or an erasure rewrites texts."""
    c = IDEA_HISTORY.c
    texts = sa.func.length(c.idea_id) + sa.func.length(c.value) + sa.func.coalesce(sa.func.length(c.name), -1)
    return [
        sa.func.count(),
        sa.func.max(c.observed_from),
        sa.func.count(c.observed_to),
        sa.func.max(c.observed_to),
        sa.cast(sa.func.sum(texts), sa.BigInteger),
    ]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
