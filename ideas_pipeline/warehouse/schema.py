"""Creation and additive migration of the tables, for all communities in the database.

The database is compared with ``tables/`` before anything is changed. Missing tables, columns and indexes are added; any
other difference is an error, and the database stays unchanged.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, ExecutableDDLElement, SetColumnComment, SetTableComment

from ideas_pipeline.errors import WarehouseMisconfigured
from ideas_pipeline.tables.all_tables import METADATA
from ideas_pipeline.tables.bookkeeping import PROGRAM, REJECTED_RECORDS, SCHEMA_VERSION, SCOPES, SYNC_SCOPES, WAREHOUSE
from ideas_pipeline.warehouse.database import reading, writing
from ideas_pipeline.warehouse.grants import share

# Engines that report column types as they were declared, so that they can be compared.
_COMPARABLE = {"sqlite", "postgresql"}
# The package `accounts` creates them, in whatever database IDEAS_TOKEN_STORE names; they can be there first.
_TABLES_OF_ACCOUNTS = {"_accounts", "_heartbeats"}
_REASON_OF_EARLIER_VERSIONS = "an earlier version could not type it; `ideas-pipeline rejects retry` says why"

_SENTENCES_OF_EARLIER_VERSIONS = (
    (
        SYNC_SCOPES.c.reason_code,
        SYNC_SCOPES.c.reason,
        {
            "total_differs": "the API's total is ",
            "total_unused": "the API's total, ",
            "cut_lists": "the API sends only a part of ",
        },
    ),
    (SCOPES.c.contradiction_code, SCOPES.c.contradiction, {"ignored_parent": "the API ignores "}),
)


def prepare(engine: sa.Engine) -> None:
    """Create or migrate the tables. Raises WarehouseMisconfigured if that needs more than additions."""
    with reading(engine) as connection:
        if not _migration(connection):
            return  # does not wait for a writer
    with writing(engine) as connection:
        # Compare again: another process may have migrated the tables meanwhile.
        statements = _migration(connection)
        for statement in statements:
            connection.execute(statement)
        share(connection, (s.element.name for s in statements if isinstance(s, sa.schema.CreateTable)))


def _migration(connection: sa.Connection) -> list[sa.Executable]:
    """The statements that make the database match ``tables/``; empty if it does."""
    inspector = sa.inspect(connection)
    names = set(inspector.get_table_names()) - _TABLES_OF_ACCOUNTS
    _check_owner(connection, names)
    columns = {name: {c["name"]: c for c in cs} for (_, name), cs in inspector.get_multi_columns().items()}
    keys = {name: set(key["constrained_columns"]) for (_, name), key in inspector.get_multi_pk_constraint().items()}
    indexes = {name: {i["name"] for i in found} for (_, name), found in inspector.get_multi_indexes().items()}

    statements: list[sa.Executable] = []
    for table in METADATA.sorted_tables:
        if table.name not in names:
            statements += _create(table)
            continue
        if keys[table.name] != set(table.primary_key.columns.keys()):
            raise _refused(
                connection,
                f"the key of the table {table.name} is ({', '.join(sorted(keys[table.name]))})"
                f" instead of ({', '.join(table.primary_key.columns.keys())})",
            )
        statements += _add_columns(connection, table, columns[table.name])
        statements += [sa.schema.CreateIndex(i) for i in _indexes(table) if i.name not in indexes[table.name]]
    if "column_name" not in columns.get(REJECTED_RECORDS.name, {"column_name": None}):
        # Earlier versions quoted the value in the reason.
        statements.append(sa.update(REJECTED_RECORDS).values(reason=_REASON_OF_EARLIER_VERSIONS))
    statements += _codes_of_earlier_versions(columns)
    statements += comments(inspector, METADATA.sorted_tables)
    return statements + _update_version(connection, names)


def _codes_of_earlier_versions(columns: Mapping[str, Container[str]]) -> Iterator[sa.Executable]:
    """Give the reasons of earlier versions, which were sentences alone, the code that they have now."""
    for column, sentence, sentences in _SENTENCES_OF_EARLIER_VERSIONS:
        if column.name not in columns.get(column.table.name, {column.name}):
            for code, words in sentences.items():
                yield sa.update(column.table).where(sentence.contains(words)).values({column: code})


def _check_owner(connection: sa.Connection, names: set[str]) -> None:
    """Raise WarehouseMisconfigured if the database belongs to another program or to a newer version of this one."""
    if not names:
        return
    if WAREHOUSE.name not in names:
        raise _refused(connection, f"it has tables of another program ({', '.join(sorted(names)[:3])}, …)")
    found = {c["name"] for c in sa.inspect(connection).get_columns(WAREHOUSE.name)}
    if not {"program", "schema_version"} <= found:
        raise _refused(connection, f"its table {WAREHOUSE.name} was not created by {PROGRAM}")
    for program, version in connection.execute(sa.select(WAREHOUSE.c.program, WAREHOUSE.c.schema_version)):
        if program != PROGRAM:
            raise _refused(connection, f"it belongs to the program {program}")
        if version > SCHEMA_VERSION:
            raise WarehouseMisconfigured(
                f"The warehouse {_place(connection)} was created by a newer version of {PROGRAM} (its tables have"
                f" version {version}, this program supports {SCHEMA_VERSION}). Nothing was changed. Upgrade {PROGRAM}."
            )


def _add_columns(connection: sa.Connection, table: sa.Table, existing: dict[str, Any]) -> Iterator[sa.Executable]:
    dialect = connection.dialect
    for column in table.columns:
        if column.name not in existing:
            if not column.nullable:
                raise _refused(
                    connection,
                    f"the table {table.name} lacks the column {column.name}, which is required",
                )
            name = dialect.identifier_preparer.format_table(table)
            yield sa.text(f"ALTER TABLE {name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}")
        elif dialect.name in _COMPARABLE:
            is_, wanted = existing[column.name]["type"].compile(dialect=dialect), column.type.compile(dialect=dialect)
            if is_ != wanted:
                raise _refused(
                    connection, f"the column {column.name} of the table {table.name} is {is_} instead of {wanted}"
                )


def _create(table: sa.Table) -> Iterator[ExecutableDDLElement]:
    yield sa.schema.CreateTable(table)
    for index in _indexes(table):
        yield sa.schema.CreateIndex(index)


def comments(inspector: sa.Inspector, tables: Iterable[sa.Table]) -> list[sa.Executable]:
    """The statements that update the database's comments on ``tables`` and their columns.

    Empty if they are up to date, or if the engine does not support comments.
    """
    if not inspector.dialect.supports_comments:
        return []
    of_tables = {name: comment["text"] for (_, name), comment in inspector.get_multi_table_comment().items()}
    columns = {name: cs for (_, name), cs in inspector.get_multi_columns().items()}
    statements: list[sa.Executable] = []
    for table in tables:
        if of_tables.get(table.name) != table.comment:
            statements.append(SetTableComment(table))
        of_columns = {c["name"]: c["comment"] for c in columns.get(table.name, [])}
        statements += [SetColumnComment(c) for c in table.columns if of_columns.get(c.name) != c.comment]
    return statements


def _update_version(connection: sa.Connection, names: set[str]) -> list[sa.Executable]:
    version = None
    if WAREHOUSE.name in names:
        version = connection.scalar(sa.select(WAREHOUSE.c.schema_version))
    if version is None:
        now = datetime.now(UTC)
        return [sa.insert(WAREHOUSE).values(program=PROGRAM, schema_version=SCHEMA_VERSION, created_at=now)]
    if version < SCHEMA_VERSION:
        return [sa.update(WAREHOUSE).values(schema_version=SCHEMA_VERSION)]
    return []


def _indexes(table: sa.Table) -> Iterable[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _refused(connection: sa.Connection, why: str) -> WarehouseMisconfigured:
    return WarehouseMisconfigured(
        f"The database {_place(connection)} cannot be used as a warehouse: {why}. Nothing was changed."
        " Use an empty database, or one that this program created."
    )


def _place(connection: sa.Connection) -> str:
    return connection.engine.url.set(query={}).render_as_string(hide_password=True)
