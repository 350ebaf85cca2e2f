"""Errors of the libraries that hold and move data: database drivers, SQLAlchemy, Arrow, pandas.

Their messages can quote rows, so only those parts of the program that know the library may show them.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ideas_pipeline.errors import WarehouseError

_LIBRARIES = frozenset({"altair", "duckdb", "numpy", "pandas", "psycopg", "pyarrow", "sqlalchemy", "sqlite3"})
# A file that cannot be written is not a fault of the library that writes it, and neither is a bug in our own code.
_OURS = __name__.partition(".")[0]
_NEVER = (OSError, MemoryError)


def is_of_a_library(error: BaseException) -> bool:
    """Whether ``error`` is of a type of these libraries, or was raised in their code or in what they called."""
    if any(_root(kind.__module__) in _LIBRARIES for kind in type(error).__mro__):
        return True
    if not isinstance(error, Exception) or isinstance(error, _NEVER):
        return False
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        root = _root(str(frame.f_globals.get("__name__")))
        if root in _LIBRARIES or root.startswith(_OURS):
            return root in _LIBRARIES
    return False


def named(error: BaseException) -> str:
    """The type of ``error`` with its library, such as ``pyarrow.ArrowInvalid``."""
    kind = type(error)
    library = "" if kind.__module__ == "builtins" else f"{_root(kind.__module__)}."
    return f"{library}{kind.__name__}"


@contextmanager
def as_warehouse_errors(what: str = "the data cannot be processed") -> Iterator[None]:
    """Turn every error of a library in the block into a WarehouseError.

    Args:
        what: what fails, as a clause such as ``the records of users cannot be typed``.

    Raises:
        WarehouseError: with the type of the error. Its message is left out, because it can quote rows.
    """
    try:
        yield
    except Exception as error:
        if not is_of_a_library(error):
            raise
        raise library_failure(what, error) from None


def library_failure(what: str, error: BaseException) -> WarehouseError:
    """The WarehouseError for an error of a library. ``what``: what failed, as a clause."""
    return WarehouseError(
        f"{what[:1].upper()}{what[1:]} ({named(error)}). Nothing of this step was kept. Run it again; if it fails"
        " again, report this sentence with the versions that `pip freeze` prints."
    )


def _root(module: str) -> str:
    return module.partition(".")[0]
