"""The contract that is being worked out: what was inferred, each value with its reason, and what must be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json, Steps

Check = Callable[[Contract], Iterable[object]]


@dataclass(frozen=True, slots=True)
class Inferred:
    """A value of the contract that the evidence shows.

    Attributes:
        place: its path in the contract, such as ``("streams", "ideas", "path")``.
        value: the value; None removes the place.
        reason: what was seen and how often, as a clause without values.
    """

    place: Steps
    value: Json
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something that only a person can answer.

    Attributes:
        place: the value's path in the contract; empty if the answer is not a value of the contract.
        text: what to find out, as a sentence.
        proposal: the most probable answer; None if there is none.
        urgency: the higher, the earlier it is asked.
        options: the fields that may be the answer. The question is dropped once other columns use all of them.
    """

    place: Steps
    text: str
    proposal: Json = None
    urgency: int = 0
    options: tuple[str, ...] = ()


@dataclass
class Draft:
    """A contract in force, and the changes to it that were inferred.

    Attributes:
        base: the contract in force, as plain data.
        check: finds what is wrong with a contract beyond its models, such as a missing column.
        stated: the places that the operator's own file has.
        lines: the values to write, by place.
        confirmed: the places whose value in force the evidence confirms, with the reason.
        questions: what is open.
        notes: what an operator should know, as sentences.
    """

    base: Mapping[str, Any]
    check: Check
    stated: frozenset[Steps] = frozenset()
    lines: dict[Steps, Inferred] = field(default_factory=dict)
    confirmed: dict[Steps, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        self.contract = Contract.model_validate(self.base)

    def propose(self, *found: Inferred, is_answer: bool = False) -> bool:
        """Accept these values together, unless the contract is invalid with them.

        Args:
            found: the values. Those in force already are confirmed, not written again.
            is_answer: whether a person gave them: then those in force are written, too.

        Returns:
            Whether the contract is now as the values say.
        """
        lines = dict(self.lines)
        confirmed = dict(self.confirmed)
        for line in found:
            lines.pop(line.place, None)
            if _is_in_force(self.base, line) and not is_answer:
                confirmed[line.place] = line.reason
            else:
                lines[line.place] = line
        try:
            contract = Contract.model_validate(merge(dict(self.base), override(lines.values())))
        except ValidationError:
            return False
        if list(self.check(contract)):
            return False
        self.lines, self.confirmed, self.contract = lines, confirmed, contract
        return True

    def confirm(self, place: Steps, reason: str) -> None:
        """Note that the value in force at ``place`` is right."""
        self.confirmed[place] = reason

    def is_settled(self, place: Steps) -> bool:
        """Whether the evidence already shows the value at ``place``."""
        return place in self.lines or place in self.confirmed

    def ask(
        self, place: Steps, text: str, *, proposal: Json = None, urgency: int = 0, options: tuple[str, ...] = ()
    ) -> None:
        """Note an open question, once per place."""
        self.questions = [q for q in self.questions if q.place != place or not place]
        self.questions.append(Question(place, text, proposal, urgency, options))

    def open_questions(self) -> list[Question]:
        """The open questions, most important first, without those whose options are all used by other columns."""
        used = {(place[:-1], line.value) for place, line in self.lines.items() if isinstance(line.value, str)}
        return sorted(
            (
                q
                for q in self.questions
                if q.place not in self.lines
                and (not q.options or any((q.place[:-1], o) not in used for o in q.options))
            ),
            key=lambda q: -q.urgency,
        )


def override(lines: Iterable[Inferred]) -> dict[str, Any]:
    """The values as part of a contract."""
    result: dict[str, Any] = {}
    for line in lines:
        at = result
        for step in line.place[:-1]:
            at = at.setdefault(str(step), {})
        at[str(line.place[-1])] = line.value
    return result


def _is_in_force(base: Mapping[str, Any], line: Inferred) -> bool:
    at: Any = base
    for step in line.place:
        at = at.get(step) if isinstance(at, Mapping) else None
    if isinstance(at, list | tuple):
        return list(at) == ([line.value] if isinstance(line.value, str) else line.value)
    return bool(at == line.value) and type(at) is type(line.value)
