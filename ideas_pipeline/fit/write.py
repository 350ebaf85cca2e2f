"""Write what was inferred to the contract file: one line per value, with what was seen as its comment."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from shutil import copymode

from ideas_pipeline.contract.yaml_edit import edited
from ideas_pipeline.contract.yaml_file import read
from ideas_pipeline.errors import ContractError
from ideas_pipeline.fit.draft import Inferred
from ideas_pipeline.private_file import replacing

_HEAD = """\
# How your Ideas API differs from the default contract (docs/contract.md explains every word).
# Written by `ideas-pipeline fit`: the comment of a line says what was seen. Your own lines and comments stay.
"""


def present_text(file: Path) -> str:
    """The text of a contract file; empty if the file does not exist yet. Raises ContractError if it is not a map."""
    if not file.exists():
        return ""
    read(file)
    return file.read_text(encoding="utf-8-sig")


def new_text(text: str, lines: Sequence[Inferred]) -> str:
    """``text`` with these values set, in the order of the contract's parts."""
    if not lines:
        return text
    return edited(text or _HEAD, [(line.place, line.value, line.reason) for line in lines])


def difference(before: str, after: str, file: Path) -> str:
    """The change as a unified diff; empty if there is none."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(file), str(file), lineterm="")
    return "\n".join(lines)


def save(file: Path, text: str) -> None:
    """Write the file, completely or not at all; its mode stays. Raises ContractError."""
    try:
        with replacing(file) as new:
            new.write_text(text, encoding="utf-8")
            if file.exists():
                copymode(file, new)
    except OSError as error:
        raise ContractError(f"{file} cannot be written: {error.strerror}") from None
