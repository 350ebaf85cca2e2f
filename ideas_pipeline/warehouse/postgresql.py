"""Set up a session on PostgreSQL: what a server, a database or a role sets by default does not count.

Defaults change how times and texts are written, and what a statement may do. A session of the pipeline is the same
everywhere.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseMisconfigured
from ideas_pipeline.tables.bookkeeping import WAREHOUSE

# Settings that the server does not know, as an older one may not, are left out.
# https://www.postgresql.org/docs/current/runtime-config-client.html
_SETTINGS = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",  # psycopg reads no other: https://www.psycopg.org/psycopg3/docs/basic/adapt.html
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "extra_float_digits": "1",  # below 1, floats lose digits
    # A writer waits for the lock of the one before, and must then see what that one wrote.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    # Loads and migrations take as long as they take, and a transaction is idle while rows are prepared.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}

_SET = """
SELECT count(set_config(known.name, wanted.value, false))
FROM (VALUES {values}) AS wanted (name, value)
JOIN pg_settings AS known ON lower(known.name) = wanted.name
"""

# The schema with the warehouse, or else the first one in which tables would be created. `public` counts only if it has
# a warehouse: a search_path can have lost it since. Temporary tables have a schema of their own.
_SCHEMA = """
SELECT name
FROM (
    SELECT name, place FROM unnest(current_schemas(false)) WITH ORDINALITY AS listed (name, place)
    WHERE name !~ '^pg_' AND name <> 'information_schema'
    UNION ALL SELECT 'public', NULL
) AS schemas
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = name AND relname = '{marker}'
    )
) AS has (warehouse)
WHERE has.warehouse OR place IS NOT NULL
ORDER BY place IS NULL, NOT has.warehouse, place
LIMIT 1
"""


def set_up_session(connection: Any, url: sa.URL) -> None:
    """Give a new connection the settings that the pipeline relies on.

    Args:
        connection: the driver's connection (PEP 249), with the attribute ``autocommit``.
        url: the URL, for messages.

    Raises:
        WarehouseMisconfigured: the database cannot hold every text, or there is no schema for the tables.
    """
    connection.autocommit = True  # a rollback would undo the settings
    cursor = connection.cursor()
    cursor.execute("SET statement_timeout = 0")  # first: what follows can take longer than the default allows
    cursor.execute("SELECT current_setting('server_encoding')")
    (encoding,) = cursor.fetchone()
    if encoding != "UTF8":
        raise WarehouseMisconfigured(
            f"The database {_place(url)} has the encoding {encoding}, which cannot hold every text (other alphabets,"
            " emoji). Nothing was changed. Create a database in UTF8 and put its name into IDEAS_WAREHOUSE_URL:"
            " CREATE DATABASE warehouse ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;"
        )
    values = ", ".join(f"('{name}', '{value}')" for name, value in _SETTINGS.items())
    cursor.execute(_SET.format(values=values))
    cursor.execute(_SCHEMA.format(marker=WAREHOUSE.name))
    schema = cursor.fetchone()
    if schema is None:
        raise WarehouseMisconfigured(
            f"The warehouse {_place(url)} cannot be used: no schema of the role's search_path exists and can hold"
            " tables. Nothing was changed. Set another one, for example:"
            " ALTER ROLE CURRENT_USER SET search_path = public;"
        )
    cursor.execute("SELECT set_config('search_path', quote_ident(%s), false)", schema)
    cursor.close()
    connection.autocommit = False


def _place(url: sa.URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)
