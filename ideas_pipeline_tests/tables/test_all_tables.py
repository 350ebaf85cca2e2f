from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import sqlalchemy as sa

from ideas_pipeline import tables
from ideas_pipeline.tables.all_tables import ANALYST_TABLES, BOOKKEEPING_TABLES, METADATA
from ideas_pipeline_tests.processes import run


def test_importing_all_tables_registers_the_tables_of_every_module() -> None:
    alone = "from ideas_pipeline.tables.all_tables import METADATA; print(*sorted(METADATA.tables))"
    known = run([sys.executable, "-c", alone]).stdout.split()
    modules = [import_module(f"{tables.__name__}.{module.name}") for module in pkgutil.iter_modules(tables.__path__)]
    described = {table.name for module in modules for table in vars(module).values() if isinstance(table, sa.Table)}
    assert set(known) == described


def test_bookkeeping_tables_begin_with_an_underscore_and_analysts_tables_do_not() -> None:
    own = {name for name in METADATA.tables if name.startswith("_")}
    assert (set(BOOKKEEPING_TABLES), set(ANALYST_TABLES)) == (own, set(METADATA.tables) - own)
