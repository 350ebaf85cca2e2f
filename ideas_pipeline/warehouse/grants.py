"""Read access for analysts: a role on PostgreSQL.

The role reads the pipeline's tables and marts by name, except those that are withheld, and writes only those that
analysts maintain. No default of the schema is set, so nothing that others create there becomes readable: a table or
mart that the pipeline creates later is granted by ``share``. This relies on rights: a role can change its own default
to read-only transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.tables.all_tables import METADATA
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.bookkeeping import ERASURES, REJECTED_RECORDS
from ideas_pipeline.warehouse.database import Transaction

# Rejects can hold personal data of anybody; erasures hold hashes of erased people's names.
_WITHHELD = (REJECTED_RECORDS.name, ERASURES.name)
_OWNED_BY_ANALYSTS = (LABEL_CLASSES.name,)

# PostgreSQL truncates longer names, and the name would then be that of another role.
_LONGEST_NAME = 63
_INSUFFICIENT_PRIVILEGE = "42501"

# The tables and views of the schema, whether we own them, and what the role may do with them: by its own rights, by
# those of a role of which it is a member, or by those of everybody.
_TABLES = """
SELECT relname,
       pg_has_role(relowner, 'USAGE') AS is_ours,
       has_table_privilege(:role, oid, 'SELECT') AS reads,
       has_table_privilege(:role, oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS writes
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY relname
"""

# The roles that may write the table of the analysts: nobody but an analyst has that right. The rights themselves are
# the only list of analysts, so that it follows a role that is renamed or dropped, and a dump that is restored.
_ANALYSTS = """
SELECT DISTINCT rolname
FROM pg_class, aclexplode(relacl) AS given JOIN pg_roles AS role ON role.oid = given.grantee
WHERE pg_class.oid = to_regclass(:table) AND given.privilege_type = 'INSERT' AND given.grantee <> relowner
ORDER BY rolname
"""


@dataclass(frozen=True, slots=True)
class Granted:
    """What an analyst's role may do now. ``created``: whether the role is new."""

    role: str
    created: bool
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    withheld: tuple[str, ...]


def has_role(tx: Transaction, role: str) -> bool:
    """Whether the role exists on the server. Raises WarehouseMisconfigured if there cannot be such a role."""
    _check_possible(tx.connection.engine, role)
    return _has_role(tx.connection, role)


def grant_analyst(tx: Transaction, role: str, password: str | None, marts: Iterable[str]) -> Granted:
    """Let ``role`` read the whole warehouse, of all communities, and revoke any other right to what we own.

    Args:
        tx: A transaction that writes.
        role: The role's name. It is created if it does not exist.
        password: The role's password; None keeps the password of an existing role.
        marts: The names of the marts, which are granted with the tables as far as they exist.

    Raises:
        WarehouseMisconfigured: There cannot be such a role.
        WarehouseError: Our own rights do not suffice, or the role has other rights that remain.
    """
    connection = tx.connection
    _check_possible(connection.engine, role)
    created = not _has_role(connection, role)
    if created or password is not None:
        _set_login(connection, role, created, password)
    ours = [table.relname for table in connection.execute(sa.text(_TABLES), {"role": role}) if table.is_ours]
    granted = {*METADATA.tables, *marts}.difference(_WITHHELD)
    readable = tuple(name for name in ours if name in granted)
    writable = tuple(name for name in ours if name in _OWNED_BY_ANALYSTS)
    if not ours:
        raise WarehouseError(
            "The warehouse's tables belong to another role than the one that opened it, so their rights cannot be"
            " granted. Nothing was changed. Run this with the URL that is used for syncs."
        )
    _set_rights(connection, role, ours, readable, writable)
    if wrong := list(_wrong(connection, role, writable)):
        raise WarehouseError(
            f"The role {role} would have more or less than read access: {'; '.join(wrong)}. Nothing was changed. Have"
            " an administrator of the database correct that, or choose the name of a new role."
        )
    return Granted(role, created, readable, writable, _WITHHELD)


def share(connection: sa.Connection, created: Iterable[str]) -> None:
    """Let every analyst's role read the tables that were ``created`` just now, except those that are withheld."""
    readable = [name for name in created if name not in _WITHHELD]
    if connection.dialect.name != "postgresql" or not readable:
        return
    table = connection.dialect.identifier_preparer.format_table(LABEL_CLASSES)
    for role in connection.scalars(sa.text(_ANALYSTS), {"table": table}).all():
        connection.exec_driver_sql(f"GRANT SELECT ON {_listed(connection, readable)} TO {_quoted(connection, role)}")


def _check_possible(engine: sa.Engine, role: str) -> None:
    if engine.dialect.name == "sqlite":
        raise WarehouseMisconfigured(
            f"SQLite has no roles: whoever may read the file {engine.url.database} may read all of it. To read without"
            f" changing anything, open it as file:{engine.url.database}?mode=ro, with the user that runs the syncs,"
            " because readers write to files beside it. For other people, use ideas-pipeline export, or a PostgreSQL"
            " warehouse."
        )
    if (engine.dialect.name, engine.dialect.driver) != ("postgresql", "psycopg"):
        raise WarehouseMisconfigured(
            f"Roles can be granted on PostgreSQL only (postgresql+psycopg://…), not on {engine.url.drivername}: ask its"
            " administrator."
        )
    if not 0 < len(role.encode()) <= _LONGEST_NAME:
        raise WarehouseMisconfigured(f"The name of a role must have 1 to {_LONGEST_NAME} bytes. Choose another.")


def _has_role(connection: sa.Connection, role: str) -> bool:
    known = sa.text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
    return bool(connection.scalar(known, {"role": role}))


def _set_login(connection: sa.Connection, role: str, created: bool, password: str | None) -> None:
    """Create the role, or change its password."""
    statement = f"{'CREATE' if created else 'ALTER'} ROLE {_quoted(connection, role)} LOGIN"
    if password is not None:
        # Hashed here, so that it appears neither on the server nor in its log.
        driver: Any = connection.connection.driver_connection
        hashed = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        statement += f" PASSWORD '{hashed}'"
    try:
        connection.exec_driver_sql(statement)
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
            raise
        what, advice = f"change the password of {role}", "Without a password, the role keeps its own"
        if created:
            what = "create roles"
            advice = (
                f'Have an administrator of the database create it (CREATE ROLE "{role}" LOGIN), then run this again'
            )
        raise WarehouseError(
            f"The role that opened the warehouse may not {what}. Nothing was changed. {advice}."
        ) from None


def _set_rights(
    connection: sa.Connection, role: str, ours: Iterable[str], readable: Iterable[str], writable: Iterable[str]
) -> None:
    to = _quoted(connection, role)
    schema = _quoted(connection, str(connection.scalar(sa.func.current_schema())))
    database = _quoted(connection, str(connection.scalar(sa.func.current_database())))
    statements = [
        f"GRANT CONNECT ON DATABASE {database} TO {to}",
        f"GRANT USAGE ON SCHEMA {schema} TO {to}",
        f"REVOKE ALL ON {_listed(connection, ours)} FROM {to}",
        f"GRANT SELECT ON {_listed(connection, readable)} TO {to}",
        # Earlier versions granted whatever we would create in the schema.
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON TABLES FROM {to}",
    ]
    if writable:
        statements.append(f"GRANT INSERT, UPDATE, DELETE ON {_listed(connection, writable)} TO {to}")
    for statement in statements:
        connection.exec_driver_sql(statement)


def _wrong(connection: sa.Connection, role: str, writable: Iterable[str]) -> Iterator[str]:
    """Describe the rights that the role has and should not have, and those that it lacks."""
    may = sa.text(
        "SELECT has_database_privilege(:role, current_database(), 'CONNECT') AS connects,"
        " has_schema_privilege(:role, current_schema(), 'USAGE') AS uses,"
        " has_schema_privilege(:role, current_schema(), 'CREATE') AS creates, current_schema() AS schema"
    )
    role_ = {"role": role}
    able = connection.execute(may, role_).one()
    tables = connection.execute(sa.text(_TABLES), role_).all()
    if not able.connects:
        yield "it may not connect to the database, and only the database's owner can change that"
    if not able.uses:
        yield f"it may not use the schema {able.schema}, and only the schema's owner can change that"
    if able.creates:
        yield f"it may create tables in the schema {able.schema}"
    if read := [table.relname for table in tables if table.reads and table.relname in _WITHHELD]:
        yield f"it may read {', '.join(read)}"
    if written := [table.relname for table in tables if table.writes and table.relname not in writable]:
        yield f"it may write {written[0]}" + (f" and {len(written) - 1} more" if written[1:] else "")


def _listed(connection: sa.Connection, names: Iterable[str]) -> str:
    return ", ".join(_quoted(connection, name) for name in names)


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
