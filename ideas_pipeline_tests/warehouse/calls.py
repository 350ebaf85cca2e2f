"""One call in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.warehouse import Warehouse

P = ParamSpec("P")
T = TypeVar("T")


def call_reading(
    warehouse: Warehouse, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function`` with a transaction for reading and these arguments."""
    with warehouse.reading() as tx:
        return function(tx, *args, **kwargs)


def call_writing(
    warehouse: Warehouse, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function`` with a transaction for writing and these arguments."""
    with warehouse.writing() as tx:
        return function(tx, *args, **kwargs)
