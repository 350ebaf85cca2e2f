"""The findings of one step of a check, and the contract lines that it suggests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import IdeasApiError

Verdict = Literal["agrees", "differs", "failed", "skipped", "empty"]


class Size(NamedTuple):
    """About how many lists a stream has, and how many rows one of them has on average."""

    lists: float
    rows: float


@dataclass
class Step:
    """One step: reaching the host, a part of the login, or a stream. It holds names, kinds and counts, never values.

    Attributes:
        name: the step or the stream.
        verdict: ``empty`` means that the API had nothing to compare.
        reason: why the step failed or was skipped.
        hint: what to do about a failure.
        agrees: what agrees with the contract, as sentences.
        differs: what differs from it, as sentences.
        notes: what could not be compared, as sentences.
        questions: what only a person can know, as sentences.
        not_mapped: the kinds of values by dotted path, for fields that the contract does not map.
        not_sent: columns whose field is in no record.
        fix: the part of a contract that would resolve the differences.
        confirmed: dotted places of the contract that this API proves right.
        records: how many records were compared.
        requests: how many requests were sent.
        error: the error of a step that failed.
        first_list: how many records the list that was read has; None if that is unknown.
        size: about how much of this stream the API has; None if that is unknown.
    """

    name: str
    verdict: Verdict = "agrees"
    reason: str | None = None
    hint: str | None = None
    agrees: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    not_mapped: dict[str, str] = field(default_factory=dict)
    not_sent: list[str] = field(default_factory=list)
    fix: dict[str, Any] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)
    records: int = 0
    requests: int = 0
    error: IdeasApiError | None = field(default=None, repr=False)
    first_list: int | None = None
    size: Size | None = None

    def agree(self, sentence: str) -> None:
        self.agrees.append(sentence)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def ask(self, sentence: str) -> None:
        self.questions.append(sentence)

    def confirm(self, *places: str) -> None:
        """Note places of the contract that the API proves right."""
        self.confirmed += places

    def differ(self, sentence: str, *, place: str | None = None, to: Json = None) -> None:
        """Note a difference and, if it is known, its fix.

        Args:
            sentence: what differs.
            place: the dotted place in the contract to change.
            to: the value to write there; None removes the place from the contract.
        """
        self.verdict = "differs"
        self.differs.append(sentence)
        if place:
            *path, last = place.split(".")
            at = self.fix
            for name in path:
                at = at.setdefault(name, {})
            at[last] = to

    def drop_fix(self) -> None:
        """Withdraw the suggested contract lines; the sentences stay."""
        self.fix.clear()

    def fail(self, error: IdeasApiError) -> None:
        self.verdict, self.reason, self.hint, self.error = "failed", error.message, error.hint, error
        if error.status:
            self.reason += f" (HTTP {error.status})"

    def skip(self, reason: str) -> None:
        self.verdict, self.reason = "skipped", reason

    def nothing_to_compare(self) -> None:
        if self.verdict == "agrees":
            self.verdict = "empty"
        self.note("the API has no records here, so fields could not be compared")

    def count(self, *, records: int = 0, requests: int = 0) -> None:
        self.records += records
        self.requests += requests


def all_fixes(steps: Iterable[Step]) -> dict[str, Any]:
    """The part of a contract that would resolve the differences of all these steps."""
    result: dict[str, Any] = {}
    for step in steps:
        result = merge(result, step.fix)
    return result


def fixed(contract: Contract, fix: Mapping[str, Any]) -> Contract:
    """``contract`` with ``fix`` merged over it. Raises ValidationError if that is not a valid contract."""
    return Contract.model_validate(merge(contract.model_dump(by_alias=True), fix))
