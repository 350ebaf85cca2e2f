"""The warehouse's tables: created in an empty database, added to in an older one, refused in any other.

What is there is compared with ``tables/`` before anything is changed. A difference that can be mended by adding is
mended; any other is a sentence, and the database stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, ExecutableDDLElement, SetColumnComment, SetTableComment

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.tables.all_tables import METADATA
from ideas_pipeline.tables.bookkeeping import PROGRAM, SCHEMA_VERSION, WAREHOUSE
from ideas_pipeline.warehouse.database import reading, writing

# The engines whose types read back as they were written, so that they can be compared.
_COMPARABLE = {"sqlite", "postgresql"}


def prepare(engine: sa.Engine) -> None:
    """Creates or migrates the tables. Raises WarehouseError where that cannot be done by adding."""
    with reading(engine) as connection:
        if not _mends(connection):
            return  # without waiting for a writer
    with writing(engine) as connection:
        # Looked at anew: another process may have done it in between.
        for mend in _mends(connection):
            connection.execute(mend)


def _mends(connection: sa.Connection) -> list[sa.Executable]:
    """The statements that make the database what ``tables/`` says; none where it is."""
    there = sa.inspect(connection)
    names = set(there.get_table_names())
    _check_owner(connection, names)
    columns = {name: {c["name"]: c for c in cs} for (_, name), cs in there.get_multi_columns().items()}
    keys = {name: set(key["constrained_columns"]) for (_, name), key in there.get_multi_pk_constraint().items()}
    indexes = {name: {i["name"] for i in found} for (_, name), found in there.get_multi_indexes().items()}

    mends: list[sa.Executable] = []
    for table in METADATA.sorted_tables:
        if table.name not in names:
            mends += _create(connection, table)
            continue
        if keys[table.name] != set(table.primary_key.columns.keys()):
            raise _refused(
                connection,
                f"the key of the table {table.name} is ({', '.join(sorted(keys[table.name]))})"
                f" instead of ({', '.join(table.primary_key.columns.keys())})",
            )
        mends += _mend_columns(connection, table, columns[table.name])
        mends += [sa.schema.CreateIndex(i) for i in _indexes(table) if i.name not in indexes[table.name]]
    mends += comments(there, METADATA.sorted_tables)
    return mends + _mend_marker(connection, names)


def _check_owner(connection: sa.Connection, names: set[str]) -> None:
    """Raises WarehouseError where the database belongs to something else, or to a newer version of us."""
    if not names:
        return
    if WAREHOUSE.name not in names:
        raise _refused(connection, f"it has tables of another program ({', '.join(sorted(names)[:3])}, …)")
    found = {c["name"] for c in sa.inspect(connection).get_columns(WAREHOUSE.name)}
    if not {"program", "schema_version"} <= found:
        raise _refused(connection, f"its table {WAREHOUSE.name} is not ours")
    for program, version in connection.execute(sa.select(WAREHOUSE.c.program, WAREHOUSE.c.schema_version)):
        if program != PROGRAM:
            raise _refused(connection, f"it belongs to the program {program}")
        if version > SCHEMA_VERSION:
            raise WarehouseError(
                f"The warehouse {_place(connection)} was made by a newer version of {PROGRAM} (its tables have version"
                f" {version}, this one knows {SCHEMA_VERSION}). Nothing was changed. Upgrade {PROGRAM}."
            )


def _mend_columns(connection: sa.Connection, table: sa.Table, there: dict[str, Any]) -> Iterator[sa.Executable]:
    dialect = connection.dialect
    for column in table.columns:
        if column.name not in there:
            if not column.nullable:
                raise _refused(
                    connection,
                    f"the table {table.name} lacks the column {column.name}, which the rows that it has would need",
                )
            name = dialect.identifier_preparer.format_table(table)
            yield sa.text(f"ALTER TABLE {name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}")
        elif dialect.name in _COMPARABLE:
            is_, wanted = there[column.name]["type"].compile(dialect=dialect), column.type.compile(dialect=dialect)
            if is_ != wanted:
                raise _refused(
                    connection, f"the column {column.name} of the table {table.name} is {is_} instead of {wanted}"
                )


def _create(connection: sa.Connection, table: sa.Table) -> Iterator[ExecutableDDLElement]:
    yield sa.schema.CreateTable(table)
    for index in _indexes(table):
        yield sa.schema.CreateIndex(index)


def comments(there: sa.Inspector, tables: Iterable[sa.Table]) -> list[sa.Executable]:
    """The statements that write the meanings of ``tables`` and their columns into the database's own comments.

    None where they stand ``there`` already, or where the engine holds no comments.
    """
    if not there.dialect.supports_comments:
        return []
    of_tables = {name: comment["text"] for (_, name), comment in there.get_multi_table_comment().items()}
    columns = {name: cs for (_, name), cs in there.get_multi_columns().items()}
    mends: list[sa.Executable] = []
    for table in tables:
        if of_tables.get(table.name) != table.comment:
            mends.append(SetTableComment(table))
        of_columns = {c["name"]: c["comment"] for c in columns.get(table.name, [])}
        mends += [SetColumnComment(column) for column in table.columns if of_columns.get(column.name) != column.comment]
    return mends


def _mend_marker(connection: sa.Connection, names: set[str]) -> list[sa.Executable]:
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


def _refused(connection: sa.Connection, why: str) -> WarehouseError:
    return WarehouseError(
        f"The database {_place(connection)} cannot be used as a warehouse: {why}. Nothing was changed."
        " Name an empty database, or one that this program made."
    )


def _place(connection: sa.Connection) -> str:
    return connection.engine.url.set(query={}).render_as_string(hide_password=True)
