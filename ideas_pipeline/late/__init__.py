"""Libraries that are slow to import, imported when they are first used.

They save a third of the time in which a command starts, unless it types and loads records. What only one command needs
does not belong here: let the command import the module that needs it when it runs.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class Late(ModuleType):
    """A module that is imported when an attribute of it is first used, by whichever thread uses it.

    ``importlib.util.LazyLoader`` is not used: early releases of Python 3.11 and 3.12 do not keep threads from using a
    module that is half loaded (https://github.com/python/cpython/issues/114763).
    """

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, found)
        return found
