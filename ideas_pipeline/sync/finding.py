"""One finding: a thing that an operator should know, with its meaning and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an operator should know.

    Attributes:
        code: a stable short word; the name of the asset check, if it is about a stream.
        stream: the stream that it is about; None if it is about the community.
        severity: ``error`` fails a run and is alerted; ``warning`` is for a person, but not tonight; ``note`` is for
            information only, and its check passes.
        what: what happened.
        means: what that means for the numbers.
        do: what to do.
        numbers: the numbers behind it, by name.
        query: SQL that lists the rows concerned, for a person to run.
        is_doubt: whether numbers can be wrong although every list is complete.
    """

    code: str
    stream: str | None
    severity: Severity
    what: str
    means: str = ""
    do: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    query: str | None = None
    is_doubt: bool = False

    @property
    def text(self) -> str:
        """What happened, what it means and what to do, as one paragraph."""
        return " ".join(part for part in (self.what, self.means, self.do) if part)


def listed(counted: Mapping[str, int]) -> str:
    """The first few with their counts: ``a (3), b (1) …``."""
    shown = [f"{what} ({count:,})" for what, count in list(counted.items())[:SHOWN]]
    return ", ".join(shown) + (" …" if len(counted) > len(shown) else "")
