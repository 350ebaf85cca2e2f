"""A PostgreSQL that is set up otherwise: its defaults do not count, or it is refused in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseMisconfigured
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.cli.community import CONFIGURED
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load
from ideas_pipeline_tests.warehouse.test_values import VALUES

ODD = {
    "datestyle": "German",
    "intervalstyle": "sql_standard",
    "timezone": "America/New_York",
    "client_encoding": "EUC_TW",  # Python has no such encoding
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "extra_float_digits": "-15",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    # A slow machine takes a while to connect and to send the first statement.
    "statement_timeout": "2s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "2s",
    "idle_session_timeout": "2s",
}
TIMEOUTS = [name for name in ODD if name.endswith("_timeout")]
Administer = Callable[[str], Sequence[sa.Row[tuple[object, ...]]]]


@pytest.fixture
def administer(postgresql_url: str) -> Iterator[Administer]:
    """Execute a statement as the server's administrator; defaults of the role and the database end with the test."""
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with ExitStack() as stack:
        connection = stack.enter_context(engine.connect())
        stack.callback(engine.dispose)

        def execute(statement: str) -> Sequence[sa.Row[tuple[object, ...]]]:
            result = connection.exec_driver_sql(statement)
            return result.all() if result.returns_rows else ()

        yield execute
        execute("ALTER ROLE postgres RESET ALL")
        execute("ALTER DATABASE postgres RESET ALL")


def rows_of(url: str) -> list[dict[str, object]]:
    with Warehouse.open(url, COMMUNITY) as warehouse:
        load(warehouse, "ideas", [idea(f"{n:02}", **values) for n, values in enumerate(VALUES)], on=1)
        return held(warehouse, "ideas")


@pytest.mark.parametrize("whose", ["ROLE", "DATABASE"])
def test_no_default_of_a_role_or_a_database_changes_what_is_stored(
    whose: str, administer: Administer, postgresql_url: str, sqlite_url: str
) -> None:
    for name, value in ODD.items():
        administer(f"ALTER {whose} postgres SET {name} = '{value}'")
    assert rows_of(postgresql_url) == rows_of(sqlite_url)
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse, warehouse.reading() as tx:
        assert {name: tx.scalar(sa.text(f"SHOW {name}")) for name in TIMEOUTS} == dict.fromkeys(TIMEOUTS, "0")


def test_a_session_keeps_its_settings_after_a_rollback_and_in_every_connection(
    administer: Administer, postgresql_url: str
) -> None:
    administer("ALTER ROLE postgres SET datestyle = 'German'")
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        with pytest.raises(KeyError), warehouse.writing():
            raise KeyError
        with warehouse.reading() as one, warehouse.reading() as two:
            assert {tx.scalar(sa.text("SHOW datestyle")) for tx in (one, two)} == {"ISO, MDY"}


def test_a_writer_sees_what_the_writer_before_it_wrote_whatever_the_default_isolation(
    administer: Administer, postgresql_url: str
) -> None:
    administer("ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'")
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse, warehouse.writing() as tx:
        assert tx.scalar(sa.text("SHOW transaction_isolation")) == "read committed"


@pytest.mark.parametrize(("encoding", "command"), [("LATIN1", "sync"), ("SQL_ASCII", "status")])
def test_a_database_that_cannot_hold_every_text_is_refused_before_anything_is_read(
    encoding: str, command: str, administer: Administer, postgresql_url: str, tmp_path: Path
) -> None:
    name = f"in_{encoding.lower()}"
    administer(f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    url = sa.make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)
    try:
        # The API cannot be reached: whoever asked it would fail with another sentence.
        variables = CONFIGURED | {"IDEAS_CLIENT_SECRET": "s3cret", "IDEAS_WAREHOUSE_URL": url}
        done = ideas_pipeline(command, folder=tmp_path, **variables)
    finally:
        administer(f"DROP DATABASE {name} WITH (FORCE)")
    assert done.returncode == 2
    assert f"has the encoding {encoding}, which cannot hold every text" in done.stderr
    assert "CREATE DATABASE warehouse ENCODING 'UTF8'" in done.stderr


def schemas_with_ideas(administer: Administer) -> list[object]:
    return [schema for (schema,) in administer("SELECT schemaname FROM pg_tables WHERE tablename = 'ideas'")]


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("pg_temp, public", "public"),
        ("pg_catalog, public", "public"),
        ("nowhere, public", "public"),
        ('"Mine", public', "Mine"),
    ],
)
def test_tables_go_into_the_first_schema_of_the_search_path_that_can_hold_them(
    path: str, schema: str, administer: Administer, postgresql_url: str
) -> None:
    administer('CREATE SCHEMA IF NOT EXISTS "Mine"')
    try:
        administer(f"ALTER ROLE postgres SET search_path = {path}")
        assert len(rows_of(postgresql_url)) == len(VALUES)
        assert schemas_with_ideas(administer) == [schema]
    finally:
        administer('DROP SCHEMA "Mine" CASCADE')


@pytest.mark.parametrize("path", ["''", "another, public"])
def test_a_warehouse_is_found_again_when_the_search_path_has_changed(
    path: str, administer: Administer, postgresql_url: str
) -> None:
    rows = rows_of(postgresql_url)
    administer("CREATE SCHEMA IF NOT EXISTS another")
    try:
        administer(f"ALTER ROLE postgres SET search_path = {path}")
        with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
            assert held(warehouse, "ideas") == rows
        assert schemas_with_ideas(administer) == ["public"]
    finally:
        administer("DROP SCHEMA another CASCADE")


@pytest.mark.parametrize("path", ["''", "nowhere", "pg_catalog"])
def test_without_a_schema_for_its_tables_a_new_warehouse_is_refused_in_words(
    path: str, administer: Administer, postgresql_url: str
) -> None:
    administer(f"ALTER ROLE postgres SET search_path = {path}")
    with pytest.raises(
        WarehouseMisconfigured, match=r"no schema of the role's search_path .* SET search_path = public"
    ):
        Warehouse.open(postgresql_url, COMMUNITY)
    assert schemas_with_ideas(administer) == []
