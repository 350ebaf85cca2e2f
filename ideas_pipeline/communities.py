"""Load the settings of the communities: from ``ideas_pipeline.yaml`` if it exists, else from environment and ``.env``.

With the file, a variable counts only if the file names it: ``{env: NAME}``. It is looked up in the environment, then in
``.env`` in the working folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ideas_pipeline.errors import SettingsError
from ideas_pipeline.setting_types import WAREHOUSE
from ideas_pipeline.settings import (
    CONFIG,
    ENV_FILE,
    Settings,
    contradictions,
    from_environment,
    invalid_values,
    read_env_file,
    variable,
)

if TYPE_CHECKING:  # without the file, the parser of YAML is not imported
    from ideas_pipeline.communities_file import GivenCommunity

FILE = Path("ideas_pipeline.yaml")
COMMUNITY = variable("community")
_PATHS = {"contract", "state_dir", "token_store"}
# Files of a state folder whose loss costs a login, or brings erased people back. A warehouse alone shows nothing:
# `status` creates one, too.
_STATE = ("tokens.json", "pii.key", "suppressed.json")
_RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)(.+)", re.DOTALL)

# A sentence, and the communities that it concerns; none means all.
_Problem = tuple[set[str], str]


def load_settings(community: str | None = None) -> Settings:
    """The settings of one community.

    Args:
        community: its name. None means the one that IDEAS_COMMUNITY names, or the only one.

    Raises:
        SettingsError: the settings are invalid, or it is not clear which community is meant. Problems of other
            communities in the file, such as a variable that is not set, are not reported.
    """
    written = read_env_file()
    file = config_file(written)
    if file is None:
        settings = from_environment(written)
        if community not in (None, settings.community):
            raise SettingsError(
                f"The community {community} is not configured: {FILE} does not exist, and {COMMUNITY} is"
                f" {settings.community}. Write {community} into that file: ideas-pipeline init --community {community}"
            )
        return settings
    communities, variables = _read(file)
    name = _picked(community or variables.get(COMMUNITY), list(communities), file)
    found, problems = _load(file, communities, variables)
    if own := [sentence for concerned, sentence in problems if not concerned or name in concerned]:
        raise SettingsError(*own)
    return found[name]


def each_community() -> dict[str, Settings | SettingsError]:
    """Every community by name, in the file's order: its settings, or what is wrong with them.

    Raises:
        SettingsError: ``.env`` or the file cannot be read, or has a mistake that concerns all communities; or without
            the file, the only community has a problem.
    """
    written = read_env_file()
    file = config_file(written)
    if file is None:
        settings = from_environment(written)
        return {settings.community: settings}
    communities, variables = _read(file)
    found, problems = _load(file, communities, variables)
    if general := [sentence for concerned, sentence in problems if not concerned]:
        raise SettingsError(*general)
    wrong = {name: [sentence for concerned, sentence in problems if name in concerned] for name in communities}
    return {name: SettingsError(*wrong[name]) if wrong[name] else found[name] for name in communities}


def valid_communities() -> list[Settings]:
    """The settings of every community that is valid. Raises SettingsError if the file or ``.env`` cannot be read."""
    written = read_env_file()
    file = config_file(written)
    return [from_environment(written)] if file is None else list(_load(file, *_read(file))[0].values())


def community_names() -> list[str]:
    """The names of all communities, in the file's order. Their settings may be invalid. Raises SettingsError."""
    from ideas_pipeline.communities_file import read

    written = read_env_file()
    file = config_file(written)
    return [from_environment(written).community] if file is None else list(read(file))


def sharing_warehouse(settings: Settings, communities: Iterable[Settings]) -> list[Settings]:
    """Those of ``communities`` whose warehouse is that of ``settings``."""
    url = settings.warehouse_url.get_secret_value()
    return [one for one in communities if one.warehouse_url.get_secret_value() == url]


def is_one_chosen(community: str | None) -> bool:
    """Whether one community is meant: it is named here or in IDEAS_COMMUNITY, or it is the only one."""
    from ideas_pipeline.communities_file import read

    if community or os.environ.get(COMMUNITY):
        return True
    written = read_env_file()
    file = config_file(written)
    return file is None or bool(written.get(COMMUNITY)) or len(read(file)) == 1


def config_file(written: Mapping[str, str]) -> Path | None:
    """The file of communities; None if there is none.

    Args:
        written: the variables in ``.env``.

    Raises:
        SettingsError: IDEAS_CONFIG names a file that does not exist.
    """
    named = os.environ.get(CONFIG) or written.get(CONFIG)
    if not named:
        return FILE if os.path.lexists(FILE) else None
    file = Path(named)
    if not os.path.lexists(file):
        raise SettingsError(f"{CONFIG} names a file that does not exist. Correct or remove it.")
    return file


def _read(file: Path) -> tuple[dict[str, GivenCommunity], dict[str, str]]:
    """What the file says of each community, and all variables that are not empty."""
    from ideas_pipeline.communities_file import read

    communities = read(file)
    named = {given.variable for one in communities.values() for given in one.values.values() if given.variable}
    written = read_env_file(*(name.upper() for name in named))
    variables = {name: value for source in (written, os.environ) for name, value in source.items() if value}
    return communities, variables


def _picked(name: str | None, known: list[str], file: Path) -> str:
    """The name of a community in the file."""
    listed = ", ".join(known)
    if name is None:
        if len(known) == 1:
            return known[0]
        raise SettingsError(
            f"{file} has several communities: {listed}. Say which one: --community {known[0]}, or set {COMMUNITY}."
        )
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{file} has no community {name}.{meant} It has {listed}.")
    return name


def _load(
    file: Path, communities: Mapping[str, GivenCommunity], variables: Mapping[str, str]
) -> tuple[dict[str, Settings], list[_Problem]]:
    """The settings of every community that is valid, and all problems."""
    found: dict[str, Settings] = {}
    problems: list[_Problem] = [(set(), sentence) for sentence in _unused(file, communities, variables)]
    for name, given in communities.items():
        defaults: dict[str, Any] = {"community": name, "state_dir": _default_state_dir(given)}
        if len(communities) > 1:
            defaults["schedule_minute"] = _minute(name)
        try:
            found[name] = _settings(given, defaults, variables)
        except SettingsError as error:
            problems += [({name}, sentence) for sentence in error.problems]
    problems += _clashes(found)
    problems += _renamed(communities, found)
    if len(found) == len(communities):
        problems += [(set(), sentence) for sentence in _left_behind(communities, found)]
    return found, problems


def _settings(given: GivenCommunity, defaults: dict[str, Any], variables: Mapping[str, str]) -> Settings:
    """The validated settings of one community. Raises SettingsError with every problem."""
    problems = []
    values = dict(defaults)
    for key, one in given.values.items():
        value = one.value
        if one.variable is not None:
            value = variables.get(one.variable)
            if value is None:
                problems.append(
                    f"{one.place}: {key} of {given.name} is not set, because {one.source} is not."
                    f" Set it in the environment or in {ENV_FILE}."
                )
        if value is None:
            continue
        values[key] = _from_folder(key, value, one.place.file.parent)
    try:
        variables_of = {key: one.variable for key, one in given.values.items() if one.variable}
        settings = Settings.model_validate(values).read_from(given.place.file, variables_of)
    except ValidationError as error:
        raise SettingsError(*problems, *_sentences(error, given, values)) from None
    if not problems:
        problems += contradictions(settings, settings.named)
    if problems:
        raise SettingsError(*problems)
    return settings


def _from_folder(key: str, value: Any, folder: Path) -> Any:
    """A value, with a relative path in it made relative to the working folder instead of ``folder``."""
    if not isinstance(value, str):
        return value
    is_path = key in _PATHS and not (key == "token_store" and ("://" in value or value == WAREHOUSE))
    if is_path and not value.startswith("~"):
        return str(folder / value)
    if key == "warehouse_url" and (sqlite := _RELATIVE_SQLITE.fullmatch(value)):
        return sqlite[1] + str(folder / sqlite[2])
    return value


def _sentences(error: ValidationError, given: GivenCommunity, values: Mapping[str, Any]) -> Iterator[str]:
    for key, kind, rest in invalid_values(error):
        one = given.values.get(key)
        place = given.place if one is None else one.place
        is_number = kind == "string_type" and isinstance(values.get(key), int | float)
        quotes = " (text that looks like a number or true needs quotes)" if is_number else ""
        origin = f" Correct {one.source}." if one and one.variable else ""
        yield f"{place}: {key} of {given.name} {rest}{quotes}.{origin}"


def _minute(name: str) -> int:
    """A minute that spreads the nights of many communities over the hour, and stays the same for each."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % 60


def _default_state_dir(given: GivenCommunity) -> Path:
    """``.ideas/NAME``; ``.ideas`` itself for a community that was there alone before there was a file."""
    folder = given.folder / ".ideas"
    was_alone = (folder / "archive" / given.name).is_dir() or (folder / f"report-{given.name}.html").is_file()
    return folder if was_alone else folder / given.name


def _left_behind(communities: Mapping[str, GivenCommunity], found: Mapping[str, Settings]) -> Iterator[str]:
    """Problems with the state of a community from before there was a file, if none in the file uses it."""
    used = {settings.state_dir.resolve() for settings in found.values()}
    for folder in {given.folder / ".ideas": None for given in communities.values()}:
        earlier = sorted(path.name for path in (folder / "archive").glob("*") if path.is_dir())
        there = [name for name in _STATE if (folder / name).is_file()] + [f"archive/{name}" for name in earlier]
        if there and folder.resolve() not in used:
            yield (
                f"{folder} has the state of a community from before there was a file of communities:"
                f" {', '.join(there)}. None in the file uses it, so its tokens and its list of erased people would not"
                f" be found. Write `state_dir: .ideas` at that community, under the name that it had in {COMMUNITY}."
                " If it is not needed any more, move the folder away."
            )


def _renamed(communities: Mapping[str, GivenCommunity], found: Mapping[str, Settings]) -> Iterator[_Problem]:
    """Problems with a new community, if another one has left a list of erased people and may have had its place."""
    new = [name for name, settings in found.items() if not settings.simulated and not settings.state_dir.exists()]
    if not new:
        return
    used = {settings.state_dir.resolve() for settings in found.values()}
    folders = {given.folder / ".ideas": None for given in communities.values()}
    for file in [file for folder in folders for file in sorted(folder.glob("*/suppressed.json"))]:
        if file.parent.name not in communities and file.parent.resolve() not in used:
            yield (
                set(new),
                f"{file} lists people who were erased from {file.parent.name}, which is not configured any more. If"
                f" {' or '.join(new)} is another name for it, write the old one again: under a new name, these people"
                " would be read again. If not, move that folder away.",
            )


def _unused(file: Path, communities: Mapping[str, GivenCommunity], variables: Mapping[str, str]) -> Iterator[str]:
    """Problems with variables that set something without the file, such as a policy, and nothing with it."""
    named = {given.variable for one in communities.values() for given in one.values.values()}
    unnamed = {name.upper() for name in variables if name not in named} - {COMMUNITY}
    for key in Settings.model_fields:
        name = variable(key)
        if name in unnamed:
            yield (
                f"{name} is set, but has no effect, because {file} does not name it. Write there, under defaults: or"
                f" at a community, {key}: {{env: {name}}}, or its value; or remove the variable."
            )


def _clashes(found: Mapping[str, Settings]) -> Iterator[_Problem]:
    """Problems between communities that would overwrite each other's tokens, or double an account's requests."""
    real = [settings for settings in found.values() if not settings.simulated]
    for one, other in _neighbours(real, _store):
        if _account(one) != _account(other):
            yield (
                {one.community, other.community},
                f"{one.community} and {other.community} have the same token store, {one.token_store}, but different API"
                " accounts: each would overwrite the other's tokens. Remove state_dir and token_store from the file, or"
                " give each community its own.",
            )
    for one, other in _neighbours(real, _account):
        has_files = one.account_database is None
        if _store(one) != _store(other) or (has_files and one.state_dir.resolve() != other.state_dir.resolve()):
            yield (
                {one.community, other.community},
                f"{one.community} and {other.community} use the same API account, but not the same state folder and"
                " token store: they would log each other out, and send twice the requests that the API allows. Give"
                " both the same state_dir, or the same database as token_store.",
            )


def _neighbours(settings: Sequence[Settings], key: Callable[[Settings], Any]) -> Iterator[tuple[Settings, Settings]]:
    """Pairs that have the same key; each community with the same key is in at least one."""
    groups: dict[Any, list[Settings]] = {}
    for one in settings:
        groups.setdefault(key(one), []).append(one)
    for group in groups.values():
        yield from pairwise(group)


def _store(settings: Settings) -> str:
    if settings.account_database is not None:
        return f"{settings.account_database} {_account(settings)}"  # it has a row per account
    # On some file systems, names that differ in case only are one file.
    return str(settings.token_file.resolve()).casefold()


def _account(settings: Settings) -> tuple[str | None, str]:
    return settings.client_id, settings.api_base_url or (settings.api_region or "").casefold()
