"""Reading ``.env``: each line is understood as it stands, or refused by its number."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from ideas_pipeline.errors import EnvFileError

_REPLACED = re.compile(r"\$\{[^}]*\}")


def read(file: Path, prefix: str) -> dict[str, str]:
    """The values by name; none where there is no such file. Raises EnvFileError.

    ``prefix``: names that begin with it are ours, and their values have to be clear.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except IsADirectoryError:
        raise EnvFileError(f"{file} is a folder, not a file. Rename or remove it.") from None
    except OSError as error:
        raise EnvFileError(f"{file} cannot be read: {error.strerror}. Mend or remove it.") from None
    except UnicodeDecodeError:
        raise EnvFileError(f"{file} is not text in UTF-8. Mend or remove it.") from None
    return parse(text, str(file), prefix)


def parse(text: str, file: str, prefix: str) -> dict[str, str]:
    """As ``read``, for a text that is at hand; ``file`` is what errors name."""
    bindings = list(parse_stream(io.StringIO(text)))
    if problems := [f"{file}, line {_line(b)}: {what}" for b in bindings for what in _problems(b, prefix)]:
        raise EnvFileError("\n".join(problems))
    return {b.key: b.value for b in bindings if b.key and b.value is not None}


def _problems(binding: Binding, prefix: str) -> Iterator[str]:
    if binding.error:
        yield "this is not NAME=value, or a quote is not closed. Mend or remove the line."
    elif binding.key is None:
        return  # a comment
    elif binding.value is None:
        yield "this is not NAME=value. Mend or remove the line."
    elif not binding.key.upper().startswith(prefix):
        return
    elif "\n" in binding.value:
        yield f"the value of {binding.key} goes on in the next line. Close the quote on its own line."
    elif _REPLACED.search(binding.value):
        # Dagster reads this file, too, and would put another value there: nobody would see why a secret is refused.
        yield (
            f"the value of {binding.key} holds ${{…}}, which other programs that read this file replace. "
            f"Set {binding.key} in the environment instead."
        )


def _line(binding: Binding) -> int:
    """The line on which it begins: blank lines before it belong to it."""
    string = binding.original.string
    return int(binding.original.line) + string[: len(string) - len(string.lstrip())].count("\n")
