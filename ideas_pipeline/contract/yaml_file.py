"""Read a YAML file as plain data with the line of every value, and write plain data as YAML.

The file may be another one by mistake, such as one of passwords, or made to exhaust the memory. So errors quote no
values, and only names that could be those of a contract.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, RoundTripConstructor, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from ideas_pipeline import plain_file
from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.contract.yaml_bounds import is_too_deep, is_too_large, parts
from ideas_pipeline.errors import ContractError

_SUFFIXES = {".yaml", ".yml", ".json"}
# Ten times the default contract and more.
_LARGEST = 2**18
_MOST_PARTS = 10_000
_WORD = re.compile(r"[A-Za-z_@][\w@.-]{0,47}")
_QUOTED = re.compile(r"""(['"]).*\1""")


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a value: its file, its line (counted from 1), and the text of that line."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Kind:
    """What errors call a kind of file, names that its top level can have, and how to make it smaller."""

    noun: str
    names: str
    smaller: str


CONTRACT = Kind("contract", "streams: or limits:", "Write only the values that differ from the default.")


@dataclass(frozen=True, slots=True)
class Document:
    """The map in a YAML file, and the place of every value by its steps, such as ``("streams", "ideas", "path")``."""

    data: dict[str, Json]
    places: dict[Steps, Place]


def read(file: Path) -> Document:
    """Read a YAML file; an empty file is an empty map.

    Raises:
        ContractError: with file and line, if the file does not exist, is not YAML, repeats a key or is not a map.
    """
    try:
        text = plain_file.read(file, _LARGEST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError) or file.suffix in _SUFFIXES or os.path.lexists(file):
            name = f" {file}"
        else:
            name = ""  # it may be a secret
        if isinstance(error, FileNotFoundError):
            raise ContractError(
                f"the contract file{name} does not exist",
                hint="Correct IDEAS_CONTRACT, or the name on the command line: the path of a YAML file.",
            ) from None
        raise ContractError(f"the contract file{name} cannot be read as text: {_reason(error)}") from None
    return parse(text, file)


def parse(text: str, file: Path, kind: Kind = CONTRACT) -> Document:
    """Parse YAML text as ``read`` does; ``file`` is the name in errors and places."""
    yaml = YAML(pure=True)
    yaml.Constructor = _Constructor
    places: dict[Steps, Place] = {}
    lines = text.splitlines()

    def plain(value: Any, steps: Steps, line: int) -> Json:
        places[steps] = Place(file, line + 1, lines[line] if line < len(lines) else "")
        if isinstance(value, CommentedMap):
            # A key that "<<: *anchor" brings in has no line of its own here.
            own = {key: position[0] for key, position in (value.lc.data or {}).items()}
            named = [(_name(key), item, own.get(key, line)) for key, item in value.items()]
            return {name: plain(item, (*steps, name), at) for name, item, at in named}
        if isinstance(value, CommentedSeq):
            return [plain(item, (*steps, number), value.lc.item(number)[0]) for number, item in enumerate(value)]
        return value

    try:
        if is_too_deep(text):
            raise RecursionError
        if parts(text) > _MOST_PARTS:
            raise ContractError(f"{file} is far too large for a {kind.noun}", hint=kind.smaller)
        loaded = yaml.load(text)
        if is_too_large(loaded):
            raise ContractError(f"the aliases (*name) in {file} repeat its values far too often")
        if loaded is None:
            return Document({}, {})
        if not isinstance(loaded, CommentedMap):
            shape = "list" if isinstance(loaded, CommentedSeq) else "single value"
            raise ContractError(
                f"{file}: the top level of a {kind.noun} is a map of names and values, such as {kind.names}, "
                f"but this file is a {shape}"
            )
        return Document(plain(loaded, (), loaded.lc.line), places)
    except DuplicateKeyError as error:
        raise ContractError(f"{file}{_line(error)}: {error.problem}") from None
    except MarkedYAMLError as error:
        raise ContractError(
            f"{file}{_line(error)}: this is not YAML: {_QUOTED.sub('(…)', str(error.problem))}",
            hint="Look at the indentation (spaces, no tabs), the colons and the quotes there and on the line above.",
        ) from None
    except YAMLError as error:
        raise ContractError(f"{file} is not YAML: {_reason(error)}") from None
    except RecursionError:
        raise ContractError(f"{file} is nested too deeply") from None


def to_yaml(data: Json, *, flow: bool = False) -> str:
    """Write plain data as YAML: one line per value, lists in brackets. ``flow``: everything on one line."""
    yaml = YAML(pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = flow
    yaml.width = 100_000
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    text = StringIO()
    yaml.dump(data, text)
    return text.getvalue()


class _Constructor(RoundTripConstructor):
    """What JSON can hold, with line numbers. Errors name keys, never values."""

    # Dates stay text, as in JSON: 0000-00-00 is not a date, and means "none" in some APIs.
    yaml_constructors = {
        f"tag:yaml.org,2002:{kind}": construct
        for kind, construct in {
            "map": RoundTripConstructor.construct_yaml_map,
            "seq": RoundTripConstructor.construct_yaml_seq,
            "null": SafeConstructor.construct_yaml_null,
            "bool": SafeConstructor.construct_yaml_bool,
            "int": SafeConstructor.construct_yaml_int,
            "float": SafeConstructor.construct_yaml_float,
            "str": SafeConstructor.construct_yaml_str,
            "timestamp": SafeConstructor.construct_yaml_str,
        }.items()
    } | {None: SafeConstructor.construct_undefined}

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key in mapping:
            first = mapping.lc.key(key)[0] + 1
            what = f"{shown(_name(key))} is set twice in the same map (first on line {first}); keep one of them"
            raise DuplicateKeyError(None, None, what, key_node.start_mark)
        return True

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if node in self.recursive_objects:
            raise ConstructorError(None, None, "an alias (*name) refers to the value that it is in", node.start_mark)
        return super().construct_object(node, deep)


class _Representer(RoundTripRepresenter):
    """Spell out null, and keep lists on one line."""

    def represent_list(self, data: Any) -> Any:
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)

    def represent_none(self, data: Any) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(list, _Representer.represent_list)
_Representer.add_representer(tuple, _Representer.represent_list)
_Representer.add_representer(type(None), _Representer.represent_none)


def _name(key: Any) -> str:
    """A key as text: a name such as 12 or true is a name, too."""
    return key if isinstance(key, str) else json.dumps(key, default=str)


def shown(name: str) -> str:
    """A name as errors show it: as it is if a contract could have it, or else a placeholder."""
    return name if _WORD.fullmatch(name) else "(a name)"


def _line(error: MarkedYAMLError) -> str:
    return f", line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
