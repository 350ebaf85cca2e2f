"""Exceptions as one sentence and an exit code: 1 failed, 2 usage or configuration."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import click
from pydantic import SecretStr

from ideas_pipeline import private_file
from ideas_pipeline.cli.options import for_community, load_settings
from ideas_pipeline.communities import valid_communities
from ideas_pipeline.errors import (
    AuthenticationError,
    ContractError,
    IdeasApiError,
    SettingsError,
    UnusableContract,
    WarehouseError,
    WarehouseMisconfigured,
)
from ideas_pipeline.library_errors import is_of_a_library, library_failure
from ideas_pipeline.setting_types import split_keys
from ideas_pipeline.settings import PREFIX, Settings
from ideas_pipeline.visible import visible

STOPPED = "stopped. What was loaded is kept; the next sync reads the rest."
_PROGRAM = "ideas-pipeline "
_FORESEEN_ERRORS = (SettingsError, IdeasApiError, WarehouseError)
CONFIGURATION_ERRORS = (SettingsError, ContractError, AuthenticationError, WarehouseMisconfigured)
# The user and password of a URL end at its last @: an unescaped password can contain others.
_PASSWORD = re.compile(r"://[^:/@]*:(.*)@|[?&]password=([^&]*)")


class Failed(click.ClickException):
    """A failure, exit code 1. Click prints it as ``Error: …`` on standard error."""

    exit_code = 1


class Misconfigured(Failed):
    """A failure that a person must correct first (settings, contract, credentials), exit code 2."""

    exit_code = 2


def failure(
    error: BaseException, secrets: Iterable[str] | None = None, settings: Settings | SettingsError | None = None
) -> Failed:
    """Turn ``error`` into a sentence with an exit code. IDEAS_DEBUG=1 adds the traceback.

    Args:
        error: the error.
        secrets: those to mask. None reads the settings of all communities to find them: whoever turns several errors
            into sentences passes them.
        settings: those of the community that has the error. None means the chosen community.
    """
    kind = Misconfigured if isinstance(error, CONFIGURATION_ERRORS) else Failed
    if isinstance(error, KeyboardInterrupt):
        return kind(STOPPED)
    if isinstance(error, SettingsError | UnusableContract):
        message = "\n".join(map(visible, error.problems))
    elif isinstance(error, _FORESEEN_ERRORS):
        message = visible(str(error))
    elif is_of_a_library(error):
        message = visible(str(library_failure("the data cannot be processed", error)))
    else:
        # An unforeseen error can quote the data being read, so its message is shown only in debug mode.
        message = f"an unexpected {type(error).__name__}. Set IDEAS_DEBUG=1 to see where it comes from."
    message = worded(message, settings)
    if os.environ.get("IDEAS_DEBUG"):
        message = "".join(traceback.format_exception(error)) + message
    for secret in sorted(_secrets() if secrets is None else secrets, key=len, reverse=True):
        message = message.replace(secret, "***")
    return kind(message)


def worded(message: str, settings: Settings | SettingsError | None = None) -> str:
    """A message that names settings as a person wrote them, and commands for the community.

    ``settings``: as for ``failure``.
    """
    if not (PREFIX in message or _PROGRAM in message) or isinstance(settings, SettingsError):
        return message
    try:
        return for_community(message, settings or load_settings())
    except SettingsError:  # the message is about these settings, and names them by itself
        return message


def _secrets() -> set[str]:
    """The secrets in force, as far as they can be read: an error here must not hide the one being reported."""
    try:
        return secrets_of(valid_communities())
    except Exception:  # noqa: BLE001 - the error that is being reported matters more
        return set()


def secrets_of(communities: Iterable[Settings]) -> set[str]:
    """The secrets in the settings of communities, and the tokens in their token files."""
    return {secret for settings in communities for secret in _secrets_of(settings)} - {""}


def _secrets_of(settings: Settings) -> Iterator[str]:
    for name, value in settings:
        if name in ("warehouse_url", "token_store") and isinstance(value, SecretStr):  # only the password is secret
            passwords = [password for both in _PASSWORD.findall(value.get_secret_value()) for password in both]
            yield from (*passwords, *map(unquote, passwords))
        elif name == "token_key" and value is not None:
            yield from split_keys(value)
        elif isinstance(value, SecretStr):
            yield value.get_secret_value()
    yield from _stored(settings)


def _stored(settings: Settings) -> Iterator[str]:
    try:
        stored = json.loads(private_file.read(settings.token_file))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(stored, dict):
        yield from (value for key, value in stored.items() if "token" in key and isinstance(value, str))
