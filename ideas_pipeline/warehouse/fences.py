"""Fencing of a community's rows: a run whose run lock was taken over writes nothing more.

A frozen process or machine cannot know that another run has taken its API account over. So each run notes the number of
its run lock before it writes, and every transaction compares. The numbers of an account only rise; another account has
numbers of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.tables.bookkeeping import FENCES
from ideas_pipeline.warehouse.database import Transaction

# The view shows the sessions of the same role.
_END_SESSIONS = sa.text("""
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = :session AND pid <> pg_backend_pid()
""")


@dataclass(frozen=True, slots=True)
class Fence:
    """The run lock of a run: the account's fingerprint, and the lock's number."""

    account: str
    number: int


def end_sessions_before(tx: Transaction, fence: Fence) -> None:
    """End the sessions of an earlier run that has not ended: a frozen one can hold the writer's lock."""
    earlier = _newest(tx)
    if (
        _is_postgresql(tx)
        and earlier
        and earlier.session
        and earlier.account == fence.account
        and earlier.fence < fence.number
    ):
        tx.execute(_END_SESSIONS, {"session": earlier.session})


def take(tx: Transaction, fence: Fence) -> None:
    """Note that a run begins. Raises WarehouseError if a later one has begun."""
    earlier = _newest(tx)
    if earlier and earlier.account == fence.account and earlier.fence > fence.number:
        raise _taken_over(tx)
    session = tx.scalar(sa.text("SELECT current_setting('application_name')")) if _is_postgresql(tx) else None
    tx.execute(sa.delete(FENCES).where(tx.owns(FENCES)))
    row = {
        "community": tx.community,
        "account": fence.account,
        "fence": fence.number,
        "session": session,
        "taken_at": datetime.now(UTC),
    }
    tx.execute(sa.insert(FENCES), [row])


def check(tx: Transaction, fence: Fence) -> None:
    """Raise WarehouseError if a later run has begun."""
    newest = _newest(tx)
    if newest is None or (newest.account, newest.fence) != (fence.account, fence.number):
        raise _taken_over(tx)


def release(tx: Transaction) -> None:
    """Note that the run has ended."""
    tx.execute(sa.update(FENCES).where(tx.owns(FENCES)).values(session=None))


def _newest(tx: Transaction) -> sa.Row[Any] | None:
    return tx.execute(sa.select(FENCES).where(tx.owns(FENCES))).first()


def _is_postgresql(tx: Transaction) -> bool:
    return tx.dialect.name == "postgresql"


def _taken_over(tx: Transaction) -> WarehouseError:
    return WarehouseError(
        f"Another run has taken over the API account of the community {tx.community}, because this one gave no sign of"
        " life for too long. Nothing of this transaction was kept, and this run writes nothing more. Run it again."
    )
