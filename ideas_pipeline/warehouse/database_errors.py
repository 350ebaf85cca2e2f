"""Errors of the database, its driver and SQLAlchemy as WarehouseError: what happened, where, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.library_errors import is_of_a_library, named

_USER = "Check the user and the password in the URL."
_MISSING = "Check the URL; a database has to be created by its administrator."
_RIGHTS = "Ask the database's administrator for the right to create and write tables."
_SPACE = "Check the free space."
_SERVER = "Check that the server runs and can be reached from here."
_AGAIN = "Nothing of this transaction was kept. Run it again."

# By SQLSTATE, of which servers translate the messages (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_STATES: dict[str, tuple[type[WarehouseError], str]] = {
    "28000": (WarehouseMisconfigured, _USER),
    "28P01": (WarehouseMisconfigured, _USER),
    "3D000": (WarehouseError, _MISSING),
    "3F000": (WarehouseMisconfigured, "Check the role's search_path."),
    "42501": (WarehouseError, _RIGHTS),
    "25006": (WarehouseMisconfigured, "The database is read-only, as a standby is: use the URL of the primary server."),
    "2BP01": (WarehouseError, "Drop the views that depend on it, and create them again afterwards."),
    "40001": (WarehouseError, _AGAIN),
    "40P01": (WarehouseError, _AGAIN),
    "53100": (WarehouseError, _SPACE),
    "53200": (WarehouseError, "Give the server more memory, or run fewer things at once."),
    "53300": (WarehouseError, "Wait until fewer programs are connected, or raise the server's max_connections."),
    "55P03": (WarehouseError, "Another program holds a lock: wait until it ends, then run this again."),
    "57014": (WarehouseError, "An administrator or a limit of the server ended it: run it again."),
    "57P01": (WarehouseError, _SERVER),
    "57P02": (WarehouseError, _SERVER),
    "57P03": (WarehouseError, _SERVER),
}

# By a part of the message, in lower case; the first that occurs counts.
_MESSAGES: tuple[tuple[str, type[WarehouseError], str], ...] = (
    ("password authentication failed", WarehouseMisconfigured, _USER),
    ("no password supplied", WarehouseMisconfigured, "Put the password into the URL."),
    ("invalid connection option", WarehouseMisconfigured, "Correct or remove it, after the ? in the URL."),
    ("invalid uri query parameter", WarehouseMisconfigured, "Correct or remove it, after the ? in the URL."),
    ("could not translate host name", WarehouseError, "Check the host's name in the URL."),
    ("failed to resolve host", WarehouseError, "Check the host's name in the URL."),
    ("does not exist", WarehouseError, _MISSING),
    ("depend on it", WarehouseError, _STATES["2BP01"][1]),
    ("permission denied", WarehouseError, _RIGHTS),
    ("connection", WarehouseError, _SERVER),
    ("unable to open database file", WarehouseError, "Check that the path is a file in a writable folder."),
    ("not a database", WarehouseMisconfigured, "Use another file: this one is not a warehouse."),
    ("malformed", WarehouseMisconfigured, "The file is damaged: restore it from a backup (docs/operations.md)."),
    ("could not decode", WarehouseMisconfigured, "Another program wrote into the file: restore it from a backup."),
    ("readonly", WarehouseError, "Check the permissions of the file and its folder."),
    ("locked", WarehouseError, "Another program has been writing to it for minutes: wait until it ends, or stop it."),
    ("disk i/o error", WarehouseError, "Check the disk, and that the folder is not on a network drive."),
    ("disk", WarehouseError, _SPACE),
)


@contextmanager
def translated(engine: sa.Engine, done: str) -> Iterator[None]:
    """Raise errors of the database and of the libraries that lead to it as WarehouseError, without a chained error.

    Args:
        engine: the database.
        done: what the block does, as a participle: ``read`` or ``written``.
    """
    try:
        yield
    except Exception as error:
        if not is_of_database(engine, error):
            raise
        raise warehouse_error(engine, done, error) from None


def is_of_database(engine: sa.Engine, error: BaseException) -> bool:
    """Whether ``error`` is of the database's driver, or of one of the libraries that lead to it."""
    # The driver's own errors come from bulk loads, which use the driver directly.
    return isinstance(error, engine.dialect.loaded_dbapi.Error) or is_of_a_library(error)


def warehouse_error(engine: sa.Engine, done: str, error: BaseException) -> WarehouseError:
    """The WarehouseError for an error of a library.

    Args:
        engine: the database.
        done: what could not be done with it, as a participle.
        error: the error.
    """
    kind, place, what, advice = described(engine, error)
    return kind(f"The warehouse {place} cannot be {done}: {what}. {advice}")


def described(engine: sa.Engine, error: BaseException) -> tuple[type[WarehouseError], str, str, str]:
    """An error of a library, for messages.

    Args:
        engine: the database.
        error: the error.

    Returns:
        The error class, the database's URL without its password, what happened without a final full stop, and what
        to do about it.
    """
    cause: Any = getattr(error, "orig", None) or error
    what = _sentence(engine, cause)
    if engine.url.password:
        what = what.replace(str(engine.url.password), "***")
    place = engine.url.set(query={}).render_as_string(hide_password=True)
    kind, advice = _advice(what, getattr(cause, "sqlstate", None))
    return kind, place, what, advice


def _sentence(engine: sa.Engine, error: Any) -> str:
    """What happened, without a value of a row and without a final full stop."""
    driver = engine.dialect.loaded_dbapi
    if not isinstance(error, driver.Error):
        # SQLAlchemy, Arrow and Python itself can quote values anywhere in a message.
        return f"{named(error)} while values were converted"
    # The lines after the first quote rows.
    what = (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    if isinstance(error, driver.DataError) or "could not decode" in what.lower():
        return re.sub(r"""["'].*""", "(a value)", what)
    return what


def _advice(what: str, sqlstate: str | None) -> tuple[type[WarehouseError], str]:
    """The error class for a database's message, and what to do about it."""
    if sqlstate in _STATES:
        return _STATES[sqlstate]
    for part, kind, what_to_do in _MESSAGES:
        if part in what.lower():
            return kind, what_to_do
    return WarehouseError, "Nothing of this transaction was kept."
