"""Read ``.env`` strictly: a line that could be misread is an error that names its number."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from ideas_pipeline import plain_file
from ideas_pipeline.errors import EnvFileError

_LARGEST = 2**20

_REPLACED = re.compile(r"\$\{[^}]*\}")


def read(file: Path, prefix: str | tuple[str, ...]) -> dict[str, str]:
    """Read the values of a file by name; an empty dict if there is no such file.

    Args:
        file: the file.
        prefix: names that start with it, or with one of several, are ours: their values must be unambiguous.

    Raises:
        EnvFileError: with one sentence per line that is wrong.
    """
    try:
        text = plain_file.read(file, _LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except IsADirectoryError:
        raise EnvFileError(f"{file} is a folder, not a file. Rename or remove it.") from None
    except OSError as error:
        raise EnvFileError(f"{file} cannot be read: {error.strerror}. Fix its permissions, or remove it.") from None
    except UnicodeDecodeError:
        raise EnvFileError(f"{file} is not UTF-8 text. Fix or remove it.") from None
    return parse(text, str(file), prefix)


def parse(text: str, file: str, prefix: str | tuple[str, ...]) -> dict[str, str]:
    """Read the values of a text by name, as ``read`` does. Errors name ``file``."""
    bindings = list(parse_stream(io.StringIO(text)))
    problems = [f"{file}, line {_line(b)}: {what}" for b in bindings for what in _problems(b, prefix)]
    first: dict[str, Binding] = {}
    for b in bindings:
        if b.key and first.setdefault(b.key.upper(), b) is not b and b.key.upper().startswith(prefix):
            line = _line(first[b.key.upper()])
            problems.append(f"{file}, line {_line(b)}: {b.key} is set twice (first on line {line}); keep one of them.")
    if problems:
        raise EnvFileError(*problems)
    return {b.key: b.value for b in bindings if b.key and b.value is not None}


def _problems(binding: Binding, prefix: str | tuple[str, ...]) -> Iterator[str]:
    if binding.error:
        yield "this is not NAME=value, or a quote is not closed. Fix or remove the line."
    elif binding.key is None:
        return  # a comment
    elif binding.value is None:
        yield "this is not NAME=value. Fix or remove the line."
    elif not binding.key.upper().startswith(prefix):
        return
    elif "\n" in binding.value:
        yield f"the value of {binding.key} continues on the next line. Close the quote on the same line."
    elif _REPLACED.search(binding.value):
        # Dagster reads this file, too, and expands ${…}: the API would then reject a secret for no visible reason.
        yield (
            f"the value of {binding.key} contains ${{…}}, which other programs that read this file expand. "
            f"Set {binding.key} in the environment instead."
        )


def _line(binding: Binding) -> int:
    """The number of its first line; the parser counts blank lines before it as part of it."""
    string = binding.original.string
    return int(binding.original.line) + string[: len(string) - len(string.lstrip())].count("\n")
