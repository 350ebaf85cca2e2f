"""Compiled SQL, shared by all engines of a test's process.

SQLAlchemy keeps what it compiles per engine, because the dialect, of which each engine has one of its own, is part of a
statement's key. Nearly every test opens a warehouse, and compiled some 120 statements for it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.util import LRUCache


class _Compiled(LRUCache[Any, Any]):
    """Compiled statements of all engines whose dialects compile a statement to the same SQL."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_without_engine(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_without_engine(key), value)


def _without_engine(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (type(dialect), dialect.server_version_info, *statement)


_compiled = _Compiled(500)  # as many as SQLAlchemy keeps per engine


def share_compiled() -> None:
    """Let every engine of this process use what the others have compiled."""

    @sa.event.listens_for(sa.Engine, "engine_connect")
    def _use(connection: sa.Connection) -> None:
        connection.execution_options(compiled_cache=_compiled)
