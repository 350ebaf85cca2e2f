from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.marts.build import TABLES, refresh_marts
from ideas_pipeline.warehouse.grants import Granted, grant_analyst, has_role
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, load
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

WITHHELD = {"_rejected_records", "_erasures"}
_numbers = count(1)


@pytest.fixture
def administrator(postgresql_url: str) -> Iterator[sa.Engine]:
    """The database's superuser, each of whose statements stands at once."""
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def role(administrator: sa.Engine) -> Iterator[str]:
    """The name of a role that does not exist yet, and no longer does after the test."""
    with dropped(administrator, f'An "analyst" 100%:{next(_numbers)}') as name:
        yield name


@pytest.fixture
def warehouse(postgresql_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(postgresql_url, COMMUNITY) as opened:
        load(opened, "ideas", [idea("1")], on=1)
        call_writing(opened, refresh_marts, "UTC")
        yield opened


@contextmanager
def dropped(administrator: sa.Engine, *names: str) -> Iterator[str]:
    yield names[0]
    with administrator.connect() as connection:
        quoted = [connection.dialect.identifier_preparer.quote_identifier(name) for name in names]
        for name, quote in zip(names, quoted, strict=True):
            if connection.scalar(sa.text("SELECT true FROM pg_roles WHERE rolname = :name"), {"name": name}):
                connection.exec_driver_sql(f"DROP OWNED BY {quote} CASCADE")
                connection.exec_driver_sql(f"DROP ROLE {quote}")


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def as_role(engine: sa.Engine, role: str, password: str | None = None) -> Iterator[sa.Connection]:
    """A login of ``role``, each of whose statements stands at once."""
    url = engine.url.set(username=role, password=password)
    login = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with login.connect() as connection:
        yield connection


def may(connection: sa.Connection, statement: str) -> bool:
    try:
        connection.exec_driver_sql(statement)
    except sa.exc.ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            return False
        raise
    return True


def grant(warehouse: Warehouse, role: str, password: str | None) -> Granted:
    return call_writing(warehouse, grant_analyst, role, password, TABLES)


def tables(warehouse: Warehouse) -> set[str]:
    return set(sa.inspect(warehouse.engine).get_table_names())


def rights(administrator: sa.Engine) -> list[object]:
    """All rights in the database, and all roles with their passwords' hashes."""
    with administrator.connect() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(query)]
            for query in (
                "SELECT relname, relacl::text FROM pg_class ORDER BY 1",
                "SELECT nspname, nspacl::text FROM pg_namespace ORDER BY 1",
                "SELECT datname, datacl::text FROM pg_database ORDER BY 1",
                "SELECT defaclnamespace, defaclrole, defaclacl::text FROM pg_default_acl ORDER BY 1, 2",
                "SELECT rolname, rolcanlogin, rolpassword FROM pg_authid ORDER BY 1",
                "SELECT setrole, setconfig::text FROM pg_db_role_setting ORDER BY 1",
            )
        ]


def test_an_analyst_reads_every_table_but_rejected_records_and_erasures(warehouse: Warehouse, role: str) -> None:
    granted = grant(warehouse, role, "a secret")
    assert granted.created
    assert set(granted.readable) == tables(warehouse) - WITHHELD
    with as_role(warehouse.engine, role) as analyst:
        assert {name for name in tables(warehouse) if may(analyst, f"SELECT * FROM {name}")} == set(granted.readable)
        assert analyst.scalar(sa.text("SELECT count(*) FROM ideas")) == 1


def test_nothing_else_in_the_schema_is_granted_whoever_made_it_and_when(
    warehouse: Warehouse, role: str, administrator: sa.Engine
) -> None:
    quoted = administrator.dialect.identifier_preparer.quote_identifier(role)
    hidden = ["quarantine", "salaries", "quarantine_later", "mart_salaries"]
    run(
        warehouse.engine,
        "CREATE VIEW quarantine AS SELECT payload FROM _rejected_records",
        "CREATE TABLE salaries AS SELECT 1 AS euros",
    )
    before = grant(warehouse, role, "a secret")
    # As earlier versions left it: a default for the schema, and a right to all that was in it.
    run(
        warehouse.engine,
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {quoted}",
        f"GRANT SELECT ON quarantine, salaries TO {quoted}",
    )
    assert grant(warehouse, role, None).readable == before.readable
    run(
        warehouse.engine,
        "CREATE MATERIALIZED VIEW quarantine_later AS SELECT payload FROM _rejected_records",
        "CREATE TABLE mart_salaries AS SELECT 1 AS euros",
    )
    with as_role(warehouse.engine, role) as analyst:
        assert [name for name in hidden if may(analyst, f"SELECT * FROM {name}")] == []
    assert set(hidden).isdisjoint(before.readable)


def test_an_analyst_reads_a_mart_that_is_created_later_or_has_other_columns(warehouse: Warehouse, role: str) -> None:
    run(warehouse.engine, "DROP TABLE mart_funnel")
    grant(warehouse, role, "a secret")
    run(warehouse.engine, "ALTER TABLE mart_cohorts ADD COLUMN of_another_version text")
    call_writing(warehouse, refresh_marts, "UTC")
    with as_role(warehouse.engine, role) as analyst:
        for name in ("mart_funnel", "mart_cohorts"):
            assert may(analyst, f"SELECT * FROM {name}")
            assert not may(analyst, f"DELETE FROM {name}")


def test_an_analyst_reads_a_table_that_an_upgrade_adds_unless_it_is_withheld(
    warehouse: Warehouse, role: str, administrator: sa.Engine
) -> None:
    grant(warehouse, role, "a secret")
    run(administrator, "DROP TABLE idea_tags", "DROP TABLE _rejected_records")
    url = warehouse.url.render_as_string(hide_password=False)
    with Warehouse.open(url, COMMUNITY) as opened, as_role(opened.engine, role) as analyst:
        assert may(analyst, "SELECT * FROM idea_tags")
        assert not may(analyst, "SELECT * FROM _rejected_records")


def test_what_is_created_later_is_for_analysts_alone_also_after_one_of_them_is_dropped(
    warehouse: Warehouse, role: str, administrator: sa.Engine
) -> None:
    quoted = administrator.dialect.identifier_preparer.quote_identifier(role)
    with dropped(administrator, "reader"):
        run(
            administrator,
            "CREATE ROLE reader LOGIN",
            "GRANT USAGE ON SCHEMA public TO reader",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        )
        grant(warehouse, role, "a secret")
        run(administrator, f"DROP OWNED BY {quoted} CASCADE", f"DROP ROLE {quoted}", "DROP TABLE mart_funnel")
        call_writing(warehouse, refresh_marts, "UTC")
        with as_role(warehouse.engine, "reader") as reader:
            assert may(reader, "SELECT * FROM ideas")
            assert not may(reader, "SELECT * FROM mart_funnel")


def test_an_analyst_changes_nothing_and_makes_nothing(warehouse: Warehouse, role: str) -> None:
    grant(warehouse, role, "a secret")
    with as_role(warehouse.engine, role) as analyst:
        for name in tables(warehouse) - {"label_classes"}:
            assert not may(analyst, f"DELETE FROM {name}")
            assert not may(analyst, f"TRUNCATE {name}")
        assert not may(analyst, "UPDATE ideas SET title = 'Mine'")
        assert not may(analyst, "UPDATE _warehouse SET schema_version = 0")
        assert not may(analyst, "INSERT INTO _warehouse VALUES ('mine', 1, now())")
        assert not may(analyst, "CREATE TABLE mine (id text)")
        assert not may(analyst, "DROP TABLE ideas")
        assert not may(analyst, "CREATE ROLE mine")


def test_an_analyst_writes_the_table_that_analysts_own(warehouse: Warehouse, role: str) -> None:
    assert grant(warehouse, role, "a secret").writable == ("label_classes",)
    with as_role(warehouse.engine, role) as analyst:
        analyst.exec_driver_sql("INSERT INTO label_classes VALUES ('acme', '1', 'adopted')")
        analyst.exec_driver_sql("UPDATE label_classes SET class = 'rejected'")
        assert analyst.scalar(sa.text("SELECT class FROM label_classes")) == "rejected"
        analyst.exec_driver_sql("DELETE FROM label_classes")
        assert not may(analyst, "DROP TABLE label_classes")


def test_granting_twice_changes_nothing(warehouse: Warehouse, role: str, administrator: sa.Engine) -> None:
    grant(warehouse, role, "a secret")
    before = rights(administrator)
    assert not grant(warehouse, role, None).created
    assert rights(administrator) == before


def test_rights_that_were_given_besides_are_taken_away(
    warehouse: Warehouse, role: str, administrator: sa.Engine
) -> None:
    grant(warehouse, role, "a secret")
    before = rights(administrator)
    quoted = administrator.dialect.identifier_preparer.quote_identifier(role)
    run(
        administrator,
        f"GRANT INSERT, UPDATE ON ideas TO {quoted}",
        f"GRANT SELECT (payload) ON _rejected_records TO {quoted}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT DELETE ON TABLES TO {quoted}",
    )
    grant(warehouse, role, None)
    assert rights(administrator) == before
    with as_role(warehouse.engine, role) as analyst:
        assert not may(analyst, "SELECT payload FROM _rejected_records")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("GRANT pg_write_all_data TO {}", "it may write _absences and "),
        ("GRANT pg_read_all_data TO {}", "it may read _erasures, _rejected_records"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "it may create tables in the schema public"),
        ("GRANT UPDATE ON ideas TO PUBLIC", "it may write ideas."),
        ("ALTER ROLE {} SUPERUSER", "it may create tables"),
    ],
)
def test_a_role_that_can_do_more_all_the_same_is_refused_and_nothing_is_changed(
    given: str, said: str, warehouse: Warehouse, role: str, administrator: sa.Engine
) -> None:
    quoted = administrator.dialect.identifier_preparer.quote_identifier(role)
    run(administrator, f"CREATE ROLE {quoted} LOGIN", given.format(quoted))
    before = rights(administrator)
    with pytest.raises(WarehouseError, match="Nothing was changed") as refused:
        grant(warehouse, role, None)
    assert said in str(refused.value) + "."
    assert rights(administrator) == before


@pytest.fixture
def loader(administrator: sa.Engine, role: str) -> Iterator[sa.Engine]:  # it goes before the role to which it gave
    """The pipeline's role as it should be: no superuser, and it may create no roles."""
    with dropped(administrator, "loader"):
        run(administrator, "CREATE ROLE loader LOGIN", "GRANT ALL ON SCHEMA public TO loader WITH GRANT OPTION")
        url = administrator.url.set(username="loader").render_as_string(hide_password=False)
        with Warehouse.open(url, COMMUNITY) as opened:
            yield opened.engine


def test_where_we_may_create_no_roles_a_sentence_says_who_can(loader: sa.Engine, role: str) -> None:
    with pytest.raises(WarehouseError, match="may not create roles") as refused:
        grant(Warehouse(loader, COMMUNITY), role, "a secret")
    assert f'CREATE ROLE "{role}" LOGIN' in str(refused.value)
    assert "a secret" not in str(refused.value)
    assert not call_reading(Warehouse(loader, COMMUNITY), has_role, role)


def test_a_role_that_an_administrator_made_needs_none_of_our_passwords(
    loader: sa.Engine, role: str, administrator: sa.Engine
) -> None:
    quoted = administrator.dialect.identifier_preparer.quote_identifier(role)
    run(administrator, f"CREATE ROLE {quoted} LOGIN")
    assert not grant(Warehouse(loader, COMMUNITY), role, None).created
    call_writing(Warehouse(loader, COMMUNITY), refresh_marts, "UTC")
    with as_role(loader, role) as analyst:
        assert may(analyst, "SELECT * FROM ideas")
        assert may(analyst, "SELECT * FROM mart_funnel")
        assert not may(analyst, "SELECT * FROM _rejected_records")
    with pytest.raises(WarehouseError, match="may not change the password"):
        grant(Warehouse(loader, COMMUNITY), role, "a secret")


def test_tables_of_another_role_are_not_ours_to_give(warehouse: Warehouse, role: str, administrator: sa.Engine) -> None:
    with dropped(administrator, "stranger"):
        run(administrator, "CREATE ROLE stranger LOGIN CREATEROLE")
        url = administrator.url.set(username="stranger")
        with pytest.raises(WarehouseError, match="belong to another role"):
            grant(Warehouse(sa.create_engine(url, poolclass=sa.NullPool), COMMUNITY), role, "a secret")
        assert not call_reading(warehouse, has_role, role)


@pytest.fixture
def passwords_wanted(administrator: sa.Engine, role: str) -> Iterator[None]:
    """The server, which else lets everybody in, asks ``role`` for its password."""
    with administrator.connect() as connection:
        file = Path(str(connection.scalar(sa.text("SHOW hba_file"))))
        trusting = file.read_text()
        name = role.replace('"', '""')
        file.write_text(f'local all "{name}" scram-sha-256\n{trusting}')
        connection.exec_driver_sql("SELECT pg_reload_conf()")
        yield
        file.write_text(trusting)
        connection.exec_driver_sql("SELECT pg_reload_conf()")


@pytest.mark.usefixtures("passwords_wanted")
def test_the_password_is_the_one_that_was_given_last(warehouse: Warehouse, role: str, administrator: sa.Engine) -> None:
    def lets_in(password: str) -> bool:
        try:
            with as_role(warehouse.engine, role, password):
                return True
        except sa.exc.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise

    grant(warehouse, role, "fîrst 100% 'secret'")
    while lets_in("no secret"):  # the server takes its new rules in when it gets to it
        pass
    assert lets_in("fîrst 100% 'secret'")
    grant(warehouse, role, None)
    assert lets_in("fîrst 100% 'secret'")
    grant(warehouse, role, "second")
    assert lets_in("second")
    assert not lets_in("fîrst 100% 'secret'")
    with administrator.connect() as connection:
        stored = connection.scalar(sa.text("SELECT rolpassword FROM pg_authid WHERE rolname = :r"), {"r": role})
    assert stored.startswith("SCRAM-SHA-256$")


def test_sqlite_has_no_roles_and_the_sentence_says_what_to_do_instead(sqlite_url: str) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as opened, pytest.raises(WarehouseMisconfigured) as refused:
        call_reading(opened, has_role, "ada")
    assert "SQLite has no roles" in str(refused.value)
    assert "?mode=ro" in str(refused.value)


@pytest.mark.parametrize("name", ["", "a" * 64, "public", "pg_monitor_2"])
def test_a_name_that_no_role_can_have_is_refused(name: str, warehouse: Warehouse, administrator: sa.Engine) -> None:
    before = rights(administrator)
    with pytest.raises(WarehouseError):
        grant(warehouse, name, "a secret")
    assert rights(administrator) == before
