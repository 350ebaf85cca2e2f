"""What one step of a check found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import IdeasApiError

Verdict = Literal["agrees", "differs", "failed", "skipped", "empty"]


@dataclass
class Step:
    """One step: reaching the host, a part of the login, or a stream. Names, kinds and counts, never values.

    ``verdict``: ``empty`` where the API had nothing to compare. ``reason``: why it failed or was skipped; ``hint``:
    what to do. ``agrees``, ``differs``, ``notes``: sentences. ``not_mapped``: dotted path → kinds, for what the API
    sends and the contract does not map. ``not_sent``: columns that no record had. ``mend``: the part of a contract
    that would settle the differences. ``confirmed``: dotted places in the contract that the API has shown to be right.
    """

    name: str
    verdict: Verdict = "agrees"
    reason: str | None = None
    hint: str | None = None
    agrees: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_mapped: dict[str, str] = field(default_factory=dict)
    not_sent: list[str] = field(default_factory=list)
    mend: dict[str, Any] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)
    records: int = 0
    requests: int = 0
    error: IdeasApiError | None = field(default=None, repr=False)

    def differ(self, sentence: str, *, place: str | None = None, to: Json = None) -> None:
        """Note a difference; and, where it is known, what would mend it: a dotted place in the contract, and its value.

        None takes the place out of the contract.
        """
        self.verdict = "differs"
        self.differs.append(sentence)
        if place:
            *way, last = place.split(".")
            at = self.mend
            for name in way:
                at = at.setdefault(name, {})
            at[last] = to

    def fail(self, error: IdeasApiError) -> None:
        self.verdict, self.reason, self.hint, self.error = "failed", error.message, error.hint, error
        if error.status:
            self.reason += f" (HTTP {error.status})"

    def skip(self, reason: str) -> None:
        self.verdict, self.reason = "skipped", reason


def all_mends(steps: Iterable[Step]) -> dict[str, Any]:
    """The part of a contract that would settle what all these steps found."""
    result: dict[str, Any] = {}
    for step in steps:
        result = merge(result, step.mend)
    return result


def mended(contract: Contract, mend: Mapping[str, Any]) -> Contract:
    """``contract`` as it would be with ``mend``, the part of a contract that a step suggests."""
    return Contract.model_validate(merge(contract.model_dump(by_alias=True), mend))
