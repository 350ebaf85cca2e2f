"""What went wrong, as one sentence and an exit code: 1 failed, 2 usage or configuration."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import click

from ideas_pipeline.ideas_api.errors import AuthenticationError, ContractError, IdeasApiError
from ideas_pipeline.settings import Settings, SettingsError, load_settings
from ideas_pipeline.warehouse.errors import WarehouseError

_FORESEEN_ERRORS = (SettingsError, IdeasApiError, WarehouseError)
CONFIGURATION_ERRORS = (SettingsError, ContractError, AuthenticationError)


class Failed(click.ClickException):
    """An error that click prints as ``Error: …`` on stderr."""

    exit_code = 1


class Misconfigured(Failed):
    """The same, for what a person must first correct: settings, contract, credentials."""

    exit_code = 2


def failure(error: BaseException) -> Failed:
    """The sentence for ``error`` and the exit code. With IDEAS_DEBUG=1 the traceback too, known secrets blanked."""
    kind = Misconfigured if isinstance(error, CONFIGURATION_ERRORS) else Failed
    if isinstance(error, KeyboardInterrupt):
        return kind("stopped. What was loaded is kept, and the next sync completes it.")
    if isinstance(error, _FORESEEN_ERRORS):
        message = str(error)
    else:
        # An error that nobody foresaw can quote what was being read, so its words are shown to a developer only.
        message = f"an unexpected {type(error).__name__}. IDEAS_DEBUG=1 shows where it comes from."
    if os.environ.get("IDEAS_DEBUG"):
        message = "".join(traceback.format_exception(error)) + message
    return kind(_blanked(message))


def _blanked(message: str) -> str:
    try:
        secrets = sorted(_secrets(load_settings()), key=len, reverse=True)
    except SettingsError:
        secrets = []
    for secret in secrets:
        message = message.replace(secret, "***")
    return message


def _secrets(settings: Settings) -> Iterator[str]:
    if settings.client_secret:
        yield settings.client_secret.get_secret_value()
    if password := urlsplit(settings.warehouse_url.get_secret_value()).password:
        yield from (password, unquote(password))
    try:
        stored = json.loads(settings.token_store.read_bytes())
    except (OSError, ValueError):
        return
    yield from (value for key, value in stored.items() if "token" in key and isinstance(value, str) and value)
