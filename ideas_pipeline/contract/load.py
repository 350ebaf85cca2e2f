"""Load the contract: the default file, with an operator's own file merged over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.mistakes import in_the_file, mistakes
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json, Mistake, Steps
from ideas_pipeline.contract.yaml_file import Document, Place, parse, read, to_yaml
from ideas_pipeline.errors import ContractError, UnusableContract

DEFAULT_FILE = Path(__file__).with_name("contract.yaml")

Origin = Literal["stated", "assumed", "yours"]
Check = Callable[[Contract], Iterable[Mistake]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that an override changes. ``default`` or ``new`` is None if that side has no such value.

    ``path`` is dotted: ``streams.ideas.path``. ``assumed``: the default is our assumption, not a stated fact.
    """

    path: str
    default: Json
    new: Json
    assumed: bool


def load_contract(override: Path | None, *, check: Check | None = None) -> Contract:
    """Load the default contract with the file ``override`` merged over it.

    Args:
        override: an operator's own file (see ``merge`` for its rules); None for the default alone.
        check: finds in the validated contract what its models cannot know, such as the warehouse's tables.

    Raises:
        ContractError: lists every mistake with its file, line and path, what is wrong, and what would be right.
    """
    merged = _merged(override)
    try:
        return Contract.model_validate(merged.data, context=check)
    except ValidationError as error:
        raise unusable(in_the_file(mistake, merged) for mistake in mistakes(error, merged, _default())) from None


def unusable(lines: Iterable[str]) -> UnusableContract:
    """The error for a contract with these mistakes."""
    return UnusableContract(
        "the contract cannot be used:",
        *(f"  {line}" for line in lines),
        "Correct these lines, then run: ideas-pipeline contract validate",
    )


def differences(override: Path) -> list[Difference]:
    """What the file ``override`` changes, value by value, in the order of the contract.

    Raises:
        ContractError: if the file cannot be read. Whether it makes a valid contract is not checked.
    """
    return list(_differences(_default().data, _merged(override).data, ()))


def annotated(override: Path | None) -> str:
    """The contract in force as YAML, with the origin of each value in a comment at the end of its line.

    Without an override: the default file as it is, with all its comments.
    """
    if override is None:
        return DEFAULT_FILE.read_text(encoding="utf-8")
    merged = _merged(override)
    text = to_yaml(merged.data)
    origins: dict[int, set[Origin]] = {}
    for steps, place in parse(text, override).places.items():
        if steps in merged.places and not isinstance(_at(merged.data, steps), dict):
            origins.setdefault(place.line, set()).add(_origin(merged.places[steps]))
    lines = text.splitlines()
    for number, found in origins.items():
        origin = next(origin for origin in ("yours", "assumed", "stated") if origin in found)
        lines[number - 1] += f"  # {origin}"
    return "\n".join(lines) + "\n"


def assumed(override: Path | None) -> list[str]:
    """The dotted paths of the default's values that are assumed, without those that ``override`` sets."""
    own = read(override).places if override else {}
    first_of_line: dict[int, Steps] = {}  # a map before the values in it
    for steps, place in _default().places.items():
        if _origin(place) == "assumed":
            first_of_line.setdefault(place.line, steps)
    return [".".join(map(str, steps)) for steps in first_of_line.values() if steps not in own]


@cache
def _default() -> Document:
    return read(DEFAULT_FILE)


def _merged(override: Path | None) -> Document:
    default = _default()
    if override is None:
        return default
    own = read(override)
    if own.data and not any(name in default.data or get_close_matches(name, default.data) for name in own.data):
        raise ContractError(
            f"{override} is not a contract: it has none of the names of one",
            hint=f"Correct IDEAS_CONTRACT, or the file. Known are: {', '.join(sorted(default.data))}.",
        )
    data = merge(default.data, own.data)
    places = {steps: place for steps, place in default.places.items() if _has(data, steps)}
    return Document(data, places | own.places)


def _differences(default: Json, new: Json, steps: Steps) -> Iterator[Difference]:
    if isinstance(default, dict) and isinstance(new, dict):
        for name in default | new:
            yield from _differences(default.get(name), new.get(name), (*steps, name))
    elif default != new or type(default) is not type(new):
        yield Difference(".".join(map(str, steps)), default, new, _is_assumed(steps))


def _is_assumed(steps: Steps) -> bool:
    """Whether the default's value there, or any value below it, is marked as assumed."""
    return any(
        _origin(place) == "assumed"
        for other, place in _default().places.items()
        if other[: len(steps)] == steps and not isinstance(_at(_default().data, other), dict)
    )


def _origin(place: Place) -> Origin:
    if place.file != DEFAULT_FILE:
        return "yours"
    return "assumed" if "# assumed" in place.text else "stated"


def _at(data: Json, steps: Steps) -> Any:
    for step in steps:
        data = data[step]
    return data


def _has(data: Json, steps: Steps) -> bool:
    try:
        _at(data, steps)
    except (KeyError, IndexError, TypeError):
        return False
    return True
