"""What went wrong, as one sentence and an exit code: 1 failed, 2 usage or configuration."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Iterator
from urllib.parse import unquote

import click
from pydantic import SecretStr

from ideas_pipeline.errors import (
    AuthenticationError,
    ContractError,
    IdeasApiError,
    SettingsError,
    WarehouseError,
    WarehouseMisconfigured,
)
from ideas_pipeline.settings import Settings, load_settings

_FORESEEN_ERRORS = (SettingsError, IdeasApiError, WarehouseError)
CONFIGURATION_ERRORS = (SettingsError, ContractError, AuthenticationError, WarehouseMisconfigured)
# User and password of a URL end at its last @, whatever a careless password holds.
_PASSWORD = re.compile(r"://[^:/@]*:(.*)@|[?&]password=([^&]*)")


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
    for secret in sorted(_secrets(), key=len, reverse=True):
        message = message.replace(secret, "***")
    return message


def _secrets() -> set[str]:
    """The secrets in force, as far as they can be known: saying what went wrong must not itself go wrong."""
    found: set[str] = set()
    try:
        settings = load_settings()
        for name, value in settings:
            if name == "warehouse_url":  # of which the password alone is secret
                passwords = [password for both in _PASSWORD.findall(value.get_secret_value()) for password in both]
                found |= {*passwords, *map(unquote, passwords)}
            elif isinstance(value, SecretStr):
                found.add(value.get_secret_value())
        found |= set(_stored(settings))
    except Exception:  # noqa: BLE001, S110 - whatever it is, the error that is being told matters more
        pass
    return found - {""}


def _stored(settings: Settings) -> Iterator[str]:
    try:
        stored = json.loads(settings.token_store.read_bytes())
    except (OSError, ValueError):
        return
    if isinstance(stored, dict):
        yield from (value for key, value in stored.items() if "token" in key and isinstance(value, str))
