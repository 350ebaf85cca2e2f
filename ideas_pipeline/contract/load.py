"""The contract in force: the default file, with an operator's own file merged over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from ideas_pipeline.contract.mistakes import Mistake, mistakes, nothing_to_take_out
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.paging import CursorPaging, NextLinkPaging, NoPaging, OffsetPaging, PagePaging
from ideas_pipeline.contract.yaml_lines import Document, Json, Place, Steps, parse, read
from ideas_pipeline.errors import ContractError

DEFAULT_FILE = Path(__file__).with_name("contract.yaml")

Origin = Literal["stated", "assumed", "yours"]

_PAGING_NAMES = {
    "none": NoPaging.model_fields,
    "page": PagePaging.model_fields,
    "offset": OffsetPaging.model_fields,
    "cursor": CursorPaging.model_fields,
    "next_link": NextLinkPaging.model_fields,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that an override changes. ``default`` or ``new`` is None where that side has no such value.

    ``path`` is dotted: ``streams.ideas.path``. ``assumed``: the default was our assumption, not a stated fact.
    """

    path: str
    default: Json
    new: Json
    assumed: bool


def load_contract(
    override: Path | None, *, more_mistakes: Callable[[Json], Iterable[Mistake]] = lambda data: ()
) -> Contract:
    """The default contract, with the file ``override`` merged over it.

    Maps merge; any other value replaces the default's; null takes a value (or a whole stream) out.
    Raises ContractError that lists every mistake: file, line, YAML path, what is wrong and what would be right.
    ``more_mistakes``: finds in the merged data, which may have any shape, what the contract's models cannot know.
    """
    nulls: list[Steps] = []
    merged = _merged(override, nulls)
    found = nothing_to_take_out(nulls, _default().data, merged)
    contract = None
    try:
        contract = Contract.model_validate(merged.data)
    except ValidationError as error:
        found += mistakes(error, merged)
    told = {mistake.steps for mistake in found}
    found += [mistake for mistake in more_mistakes(merged.data) if mistake.steps not in told]
    if found or not contract:
        raise unusable([mistake.line(merged) for mistake in found])
    return contract


def unusable(lines: Iterable[str]) -> ContractError:
    """The error for a contract with these mistakes."""
    return ContractError(
        "the contract cannot be used:\n"
        + "\n".join(lines)
        + "\nMend these lines, then run: ideas-pipeline contract validate"
    )


def differences(override: Path) -> list[Difference]:
    """What the file ``override`` changes, value by value, in the order of the contract.

    Raises ContractError where the file cannot be read; it may still not make a valid contract.
    """
    return list(_differences(_default().data, _merged(override).data, ()))


def annotated(override: Path | None) -> str:
    """The contract in force as YAML. Each line with a value ends in a comment that says where the value comes from.

    Without an override it is the default file as it stands, with all its comments.
    """
    if override is None:
        return DEFAULT_FILE.read_text(encoding="utf-8")
    merged = _merged(override)
    text = yaml.dump(merged.data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000)
    found: dict[int, set[Origin]] = {}
    for steps, place in parse(text, override).places.items():
        if steps in merged.places and not isinstance(_at(merged.data, steps), dict):
            found.setdefault(place.line, set()).add(_origin(merged.places[steps]))
    lines = text.splitlines()
    for number, kinds in found.items():
        kind = next(kind for kind in ("yours", "assumed", "stated") if kind in kinds)
        lines[number - 1] += f"  # {kind}"
    return "\n".join(lines) + "\n"


class _Dumper(yaml.SafeDumper):
    """A line for each value: maps are spread out, lists are not."""


_Dumper.add_representer(list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, True))
_Dumper.add_representer(
    dict, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), False)
)


@cache
def _default() -> Document:
    return read(DEFAULT_FILE)


def _merged(override: Path | None, nulls: list[Steps] | None = None) -> Document:
    """``nulls``: gets the names that the override would take out and that are not in the default."""
    default = _default()
    if override is None:
        return default
    own = read(override)
    data = _merge(default.data, own.data, (), [] if nulls is None else nulls)
    places = {steps: place for steps, place in default.places.items() if _has(data, steps)}
    return Document(data, places | own.places)


def _merge(default: Json, own: Json, steps: Steps, nulls: list[Steps]) -> Json:
    if not isinstance(own, dict):
        return own
    default = default if isinstance(default, dict) else {}
    nulls += [(*steps, name) for name, value in own.items() if value is None and name not in default]
    # A total is in one place only, so naming another place is not an addition.
    if steps[-1:] == ("total",):
        default = {}
    # Another style of paging keeps of the default what that style knows, too: size, total.
    if steps[-1:] == ("paging",) and (names := _PAGING_NAMES.get(str(own.get("style")))):
        default = {name: value for name, value in default.items() if name in names}
    result = dict(default)
    for name, value in own.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), value, (*steps, name), nulls)
    return result


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
