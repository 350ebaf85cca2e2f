"""Lines of plain text. Print texts of the API and of the operator by these functions or on a console of ``output``."""

from __future__ import annotations

import sys

from ideas_pipeline.visible import visible


def write(line: str) -> None:
    """Print a line on standard output."""
    print(visible(line))


def say(line: str) -> None:
    """Print a line on standard error."""
    print(visible(line), file=sys.stderr, flush=True)
