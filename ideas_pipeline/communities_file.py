"""Read ``ideas_pipeline.yaml``: the settings that it gives to each community, with the line of each.

Variables are not looked up here, and values are not validated: see ``communities``. Errors quote no value, because it
may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from ideas_pipeline import plain_file
from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.contract.yaml_file import Document, Kind, Place, parse, shown
from ideas_pipeline.errors import ContractError, SettingsError
from ideas_pipeline.settings import PREFIX, Settings

KIND = Kind("file of communities", "defaults: or communities:", "Split it with include: (see docs/communities.md).")
_LARGEST = 2**20
_SECTIONS = ("include", "defaults", "communities")
_KEYS = tuple(name for name in Settings.model_fields if name != "community")
# Whoever knows one of these can do harm. The other two can hold a password.
_SECRET = {"client_secret", "token_key", "pii_key", "alert_webhook", "callback_path"}
_URLS = {"warehouse_url", "token_store", "smtp_url"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A name that cannot be the secret itself, written in the place of its variable's name.
_PLAIN_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Given:
    """A value in the file: itself, or the name of the variable that has it."""

    value: Json
    place: Place
    variable: str | None = None

    @property
    def source(self) -> str:
        """The variable, as messages show it."""
        known = self.variable is not None and _PLAIN_VARIABLE.fullmatch(self.variable)
        return f"the variable {self.variable}" if known else "the variable that is named there"


@dataclass(frozen=True, slots=True)
class GivenCommunity:
    """What the file says of one community: its own values, then the defaults. ``place``: the line of its name."""

    name: str
    place: Place
    values: dict[str, Given]

    @property
    def folder(self) -> Path:
        """The folder of its file."""
        return self.place.file.parent


@dataclass(slots=True)
class _Part:
    """What one file and the files that it includes say."""

    defaults: dict[str, Given] = field(default_factory=dict)
    communities: dict[str, GivenCommunity] = field(default_factory=dict)


def read(file: Path, *, may_be_empty: bool = False) -> dict[str, GivenCommunity]:
    """The communities of a file and of those that it includes, in their order.

    An included file gives its communities with its own defaults; one without communities gives its defaults.

    Args:
        file: the file.
        may_be_empty: whether no community at all is fine.

    Raises:
        SettingsError: with one sentence per problem, which names file and line.
    """
    problems: list[str] = []
    found = _read(file, (), problems).communities
    if not (problems or found or may_be_empty):
        problems.append(f"{file} has no communities. Add one: ideas-pipeline init --community NAME")
    if problems:
        raise SettingsError(*problems)
    return found


def _read(file: Path, around: tuple[Path, ...], problems: list[str]) -> _Part:
    document = _document(file)
    part = _Part()
    for name in document.data:
        if name not in _SECTIONS:
            place = document.places[name,]
            problems.append(f"{place}: {shown(name)} is not known here. {_meant(name, _SECTIONS)}")
    for included in _included(document, problems):
        if included.resolve() in (*around, file.resolve()):
            problems.append(f"{document.places['include',]}: {included} includes itself. Remove it.")
            continue
        other = _read(included, (*around, file.resolve()), problems)
        if not other.communities:
            part.defaults |= other.defaults
        for name, community in other.communities.items():
            _add(part, name, community, problems)
    part.defaults |= _values(document, ("defaults",), problems)
    for name in _map(document, ("communities",), problems):
        steps = ("communities", name)
        own = _values(document, steps, problems)
        _add(part, name, GivenCommunity(name, document.places[steps], part.defaults | own), problems)
    return part


def _document(file: Path) -> Document:
    try:
        return parse(plain_file.read(file, _LARGEST).decode("utf-8-sig"), file, KIND)
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8 text. Fix or remove it.") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}. Fix or remove it.") from None
    except ContractError as error:
        raise SettingsError(str(error)) from None


def _included(document: Document, problems: list[str]) -> list[Path]:
    names = document.data.get("include") or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        problems.append(f"{document.places['include',]}: include must be a list of files, such as [north.yaml].")
        return []
    folder = document.places["include",].file.parent if names else Path()
    return [folder / Path(name).expanduser() for name in names]


def _add(part: _Part, name: str, community: GivenCommunity, problems: list[str]) -> None:
    alike = {other.casefold(): other for other in part.communities}
    if not _NAME.fullmatch(name):
        problems.append(f"{community.place}: the name of a community must have letters, digits, _ and - only.")
    elif name.casefold() == "archive" and "state_dir" not in community.values:
        # .ideas/archive is where a community that uses .ideas itself keeps its pages.
        problems.append(f"{community.place}: {name} is also a folder of .ideas. Write a state_dir for this community.")
    elif name in part.communities:
        problems.append(f"{community.place}: {name} is also at {part.communities[name].place}. Rename one of them.")
    elif name.casefold() in alike:
        # Their state folders would be one folder on some file systems.
        problems.append(f"{community.place}: {name} differs from {alike[name.casefold()]} in case only. Rename one.")
    else:
        part.communities[name] = community


def _map(document: Document, steps: Steps, problems: list[str]) -> dict[str, Json]:
    """The map at ``steps``; an empty one if nothing is there."""
    found: Json = document.data
    for step in steps:
        found = found.get(step)
        if found is None:
            return {}
    if isinstance(found, dict):
        return found
    problems.append(f"{document.places[steps]}: {_dotted(steps)} must be a map of names and values.")
    return {}


def _values(document: Document, steps: Steps, problems: list[str]) -> dict[str, Given]:
    """The settings in the map at ``steps``."""
    given = {}
    for key, value in _map(document, steps, problems).items():
        place = document.places[*steps, key]
        if key not in _KEYS:
            problems.append(f"{place}: {shown(key)} is not a setting. {_meant(key, _KEYS)}")
        elif isinstance(value, dict):
            variable = value.get("env")
            if list(value) != ["env"] or not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
                problems.append(f"{place}: {key} must be a value, or {{env: NAME}} with the name of a variable.")
            else:
                given[key] = Given(None, place, variable)
        elif value is not None and _is_secret(key, value):
            example = example_variable(str(steps[-1]), key) if len(steps) > 1 else f"{PREFIX}{key.upper()}"
            problems.append(
                f"{place}: {key} contains a secret, and no secret is in this file. Set a variable to it, in the"
                f" environment or .env, and write its name here: {key}: {{env: {example}}}"
            )
        else:
            given[key] = Given(None if value == "" else value, place)
    return given


def _is_secret(key: str, value: Json) -> bool:
    if key not in _URLS:
        return key in _SECRET
    try:
        url = urlsplit(str(value))
    except ValueError:
        return True
    if key == "smtp_url":
        return "@" in str(value)
    # The path of SQLite has no password, and can have an @.
    return not url.scheme.startswith("sqlite") and (":" in url.netloc.rpartition("@")[0] or bool(url.query))


def example_variable(community: str, key: str) -> str:
    """A name for the variable of a setting, such as ACME_CLIENT_SECRET."""
    return f"{re.sub(r'[^A-Za-z0-9]', '_', community)}_{key}".upper()


def _meant(name: str, known: Iterable[str]) -> str:
    """The name that was probably meant; all names if none is similar."""
    names = sorted(known)
    near = get_close_matches(name.lower().removeprefix(PREFIX.lower()), names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(names)}."


def _dotted(steps: Steps) -> str:
    return ".".join(shown(str(step)) for step in steps)
