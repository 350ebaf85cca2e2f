"""A wall clock that a test sets, for all of the pipeline. Monotonic time, databases and simulators keep theirs."""

from __future__ import annotations

import pkgutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import ideas_pipeline

_KEEP_THEIR_CLOCK = ("ideas_pipeline.simulator", "ideas_pipeline.defs", "ideas_pipeline.definitions")


class WallClock:
    """A clock that runs on, ``ahead`` of the machine's (or behind it, if that is negative)."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def time(self) -> float:
        return time.time() + self.ahead.total_seconds()


class _Kind(type):
    """The class of the class below: each date and time is an instance of it, as of ``datetime`` itself."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


@contextmanager
def wall_clock() -> Iterator[WallClock]:
    """Within the block, every module of the pipeline reads this clock, in all threads of this process."""
    clock = WallClock()

    class Now(datetime, metaclass=_Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + clock.ahead

    shown = SimpleNamespace(**(vars(time) | {"time": clock.time}))
    patches = [
        patch.object(module, name, new)
        for module in _modules()
        for name, old, new in (("datetime", datetime, Now), ("time", time, shown))
        if vars(module).get(name) is old
    ]
    for each in patches:
        each.start()
    try:
        yield clock
    finally:
        for each in patches:
            each.stop()


def _modules() -> list[ModuleType]:
    for module in pkgutil.walk_packages(ideas_pipeline.__path__, "ideas_pipeline."):
        if not module.name.startswith(_KEEP_THEIR_CLOCK):
            import_module(module.name)
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("ideas_pipeline.") and not name.startswith(_KEEP_THEIR_CLOCK)
    ]
