"""``ideas-pipeline init`` for one community more: add it to ``ideas_pipeline.yaml``, and keep what is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shutil import copymode

from ideas_pipeline.cli.lines import write
from ideas_pipeline.communities import FILE
from ideas_pipeline.communities_file import example_variable, read
from ideas_pipeline.contract.types import Json
from ideas_pipeline.contract.yaml_edit import edited
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.private_file import replacing
from ideas_pipeline.settings import ENV_FILE, Settings, from_environment, variable

_HEAD = """\
# The communities of ideas_pipeline: docs/communities.md explains this file. Its keys are the settings that .env
# explains, in lower case. No secret is in it: {env: NAME} is the value of a variable, from the environment or .env.
"""
_FROM_ENV = "as before there was this file"

# A key, its value, and the comment on its line.
_Line = tuple[str, Json, str]


def add_community(file: Path | None, name: str, given: Mapping[str, str], written: Mapping[str, str]) -> None:
    """Add a community to the file, and say what to do next.

    Args:
        file: the file of communities; None creates one, and takes the community of ``.env`` over.
        name: the new community.
        given: values of its settings, by key; empty ones are not given.
        written: the variables in ``.env``.

    Raises:
        SettingsError: the community is there already, or the file cannot be read or written, or would be invalid.
    """
    lines = {name: _new(name, given)}
    if file is None:
        file, text = FILE, _HEAD
        settings = from_environment(written)
        if settings.community == name:
            raise SettingsError(f"{name} is the community in {ENV_FILE}. Name the other one: --community NAME")
        lines = {settings.community: _taken_over(settings, written), **lines}
    else:
        known = read(file, may_be_empty=True)
        if name in known:
            raise SettingsError(f"{known[name].place}: {name} is there already. Edit it there.")
        text = file.read_text(encoding="utf-8-sig")
    changes = [(("communities", of, key), value, why) for of, own in lines.items() for key, value, why in own]
    _save(file, edited(text, changes))
    write(f"Wrote {name} to {file}.")
    unset = [v for v in _variables(lines[name]) if not (os.environ.get(v) or written.get(v))]
    todo = f"Set {' and '.join(unset)} in the environment or in {ENV_FILE}. Then run" if unset else "Next, run"
    write(f"{todo}: ideas-pipeline fit --community {name}")


def _new(name: str, given: Mapping[str, str]) -> list[_Line]:
    comments = {
        "api_region": "the region of the community",
        "api_base_url": "the address of the API",
        "warehouse_url": "the warehouse",
        "client_id": "the API client's id",
        "client_secret": "its password: never in this file",
    }
    variables: dict[str, Json] = {key: {"env": example_variable(name, key)} for key in ("client_id", "client_secret")}
    values = variables | {key: value for key, value in given.items() if value}
    return [(key, values[key], comment) for key, comment in comments.items() if key in values]


def _taken_over(settings: Settings, written: Mapping[str, str]) -> list[_Line]:
    """The community of ``.env``: the same variables, the same state folder, and the same minute of the night."""
    names = {name.upper(): name for name in (*written, *os.environ) if os.environ.get(name) or written.get(name)}
    keys = [key for key in Settings.model_fields if key != "community" and variable(key) in names]
    lines: list[_Line] = [(key, {"env": names[variable(key)]}, _FROM_ENV) for key in keys]
    if "state_dir" not in keys:
        lines.append(("state_dir", str(settings.state_dir), "where its tokens and its list of erased people are"))
    if "schedule_minute" not in keys:
        lines.append(("schedule_minute", settings.schedule_minute, _FROM_ENV))
    return lines


def _variables(lines: list[_Line]) -> list[str]:
    return [str(value["env"]) for _, value, _ in lines if isinstance(value, dict)]


def _save(file: Path, text: str) -> None:
    """Replace the file, completely or not at all, and only by a valid one; its mode stays."""
    try:
        with replacing(file) as new:
            new.write_text(text, encoding="utf-8")
            try:
                read(new)
            except SettingsError as error:
                raise SettingsError(*(sentence.replace(str(new), str(file)) for sentence in error.problems)) from None
            if file.exists():
                copymode(file, new)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}.") from None
