"""A YAML file as plain data that remembers on which line each value stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ideas_pipeline.errors import ContractError

Json = Any
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the file, the line from 1, and that line's text."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Document:
    """The map in a YAML file, and the place of every value by its steps, such as ``("streams", "ideas", "path")``."""

    data: dict[str, Json]
    places: dict[Steps, Place]


class _Loader(yaml.SafeLoader):
    """Dates stay text, as in JSON: ``0000-00-00`` is no date, and means "none" in some APIs."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(file: Path) -> Document:
    """The document in ``file``; an empty file is an empty map.

    Raises ContractError, naming file and line: no such file, not YAML, a key that stands twice, not a map.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ContractError(
            f"there is no contract file {file}", hint="Check IDEAS_CONTRACT, or the name on the command line."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{file} cannot be read as text: {_why(error)}") from None
    return parse(text, file)


def parse(text: str, file: Path) -> Document:
    """As ``read``, for a text that is at hand; ``file`` is what errors name."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Document({}, {})
        if not isinstance(root, yaml.MappingNode):
            raise ContractError(
                f"{file}: a contract is a map of names and values at its top, such as streams: or limits:, "
                f"but this file is a {'list' if isinstance(root, yaml.SequenceNode) else 'single value'}"
            )
        builder = _Builder(loader, file, text.splitlines())
        data = builder.value(root, ())
        if builder.mistakes:
            raise ContractError("\n".join(builder.mistakes))
        return Document(data, builder.places)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ContractError(
            f"{file}{line}: this is not YAML: {error.problem}",
            hint="Look at the indentation (spaces, no tabs), the colons and the quotes there and on the line above.",
        ) from None
    except yaml.YAMLError as error:
        raise ContractError(f"{file} is not YAML: {_why(error)}") from None
    except RecursionError:
        raise ContractError(f"{file} is nested too deeply, or an alias (*name) refers to what it stands in") from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__


class _Builder:
    def __init__(self, loader: _Loader, file: Path, lines: list[str]) -> None:
        self.loader, self.file, self.lines = loader, file, lines
        self.places: dict[Steps, Place] = {}
        self.mistakes: list[str] = []

    def value(self, node: yaml.Node, steps: Steps) -> Json:
        self.places.setdefault(steps, self.place(node))
        if isinstance(node, yaml.MappingNode):
            return self.map(node, steps)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*steps, position)) for position, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def map(self, node: yaml.MappingNode, steps: Steps) -> dict[str, Json]:
        self.note_repeated_keys(node)
        self.loader.flatten_mapping(node)  # takes in what "<<: *anchor" refers to
        data: dict[str, Json] = {}
        for key_node, value_node in node.value:
            # Keys are names: an id such as 12, or a word such as "on", is one too.
            key = str(key_node.value)
            self.places[(*steps, key)] = self.place(key_node)
            data[key] = self.value(value_node, (*steps, key))
        return data

    def note_repeated_keys(self, node: yaml.MappingNode) -> None:
        first: dict[str, yaml.Node] = {}
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in first and key != "<<":
                before = self.place(first[key])
                self.mistakes.append(
                    f"{self.place(key_node)}: {key} stands twice in the same map (first on line {before.line}); "
                    f"keep one of them"
                )
            first.setdefault(key, key_node)

    def place(self, node: yaml.Node) -> Place:
        line = node.start_mark.line
        return Place(self.file, line + 1, self.lines[line] if line < len(self.lines) else "")
