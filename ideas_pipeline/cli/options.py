"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ideas_pipeline.settings import Settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_COMMUNITY = "ideas_pipeline.community"
# A command that is for one community, and does not name it yet.
_COMMAND = re.compile(
    r"\bideas-pipeline (?!demo|simulate)(?:(?:absences|contract|rejects) )?[a-z]+(?:-[a-z]+)*\b(?! --community)"
)

as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for machines.")

yes: Decorator = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def _choose(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    context.meta[_COMMUNITY] = name  # shared with the contexts around it


def complete_community(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """List the communities that begin with ``incomplete``; none if the settings are invalid."""
    from ideas_pipeline.communities import community_names
    from ideas_pipeline.errors import SettingsError

    try:
        names = community_names()
    except SettingsError:
        return []
    return [name for name in names if name.startswith(incomplete)]


community: Decorator = click.option(
    "--community",
    metavar="NAME",
    expose_value=False,
    is_eager=True,
    callback=_choose,
    shell_complete=complete_community,
    help="A community of ideas_pipeline.yaml. [default: IDEAS_COMMUNITY, or the only one]",
)


def chosen_community() -> str | None:
    """The community that the option ``--community`` of the running command names."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_COMMUNITY) if context else None


def load_settings() -> Settings:
    """The settings of the community that the running command is for. Raises SettingsError."""
    from ideas_pipeline import communities

    return communities.load_settings(chosen_community())


def which(settings: Settings) -> dict[str, Any]:
    """The community for the output of ``--json``, if it is one of a file of communities."""
    return {"community": settings.community} if settings.file else {}


def for_community(text: str, settings: Settings) -> str:
    """A text for a community of a file: it names the file's keys, and in commands the community, not another one."""
    return settings.worded(_COMMAND.sub(rf"\g<0> --community {settings.community}", text)) if settings.file else text


def without_client(settings: Settings) -> tuple[str, str]:
    """What is missing for a community without an API client, and what to do, each the begin of a sentence."""
    if settings.file is None:
        return "IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET are not set", "Run `ideas-pipeline init`"
    where = f"{settings.community} in {settings.file}"
    return f"client_id and client_secret of {where} are not set", f"Write them at {where}"


def check_confirmation(*, as_json: bool, confirmed: bool) -> None:
    """Raise UsageError if the command must ask for confirmation, but its output is for a machine."""
    if as_json and not confirmed:
        raise click.UsageError("--json cannot ask for confirmation: add --yes or --dry-run.")


def only(what: str) -> Decorator:
    """The repeatable option ``--only STREAM``. ``what`` is its help text."""
    return click.option(
        "--only", multiple=True, metavar="STREAM", shell_complete=complete_stream, help=f"{what} Repeatable."
    )


def check_names(given: Iterable[str], known: Iterable[str], option: str) -> None:
    """Raise BadParameter, which lists the names in ``known``, for the first of ``given`` that is not among them."""
    names = list(known)
    if unknown := [name for name in given if name not in names]:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(names)}", param_hint=option)


def complete_stream(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """List the contract's streams that begin with ``incomplete``; none if the settings or the contract are invalid."""
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.errors import ContractError, SettingsError

    try:
        streams = load_contract(load_settings().contract).order()
    except (SettingsError, ContractError):
        return []
    return [stream for stream in streams if stream.startswith(incomplete)]
