"""Read what a user already has of the API: OpenAPI documents, HAR files, curl lines, saved answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ideas_pipeline.errors import SettingsError
from ideas_pipeline.fit.curl import curl_lines, read_curl
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.har import is_har, read_har
from ideas_pipeline.fit.openapi import is_openapi, read_openapi

_LARGEST = 200 * 2**20


def read_file(file: Path) -> list[Exchange]:
    """The exchanges that a file shows.

    Raises:
        SettingsError: the file cannot be read, or is not of a known kind. It names the file, never its contents.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise SettingsError(f"{file} has more than 200 MB. Export only the requests to the API.")
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"There is no file {file}. Check the name after --from.") from None
    except UnicodeDecodeError:
        raise _none_of_these(file, "it is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from None
    if not text.strip():
        raise _none_of_these(file, "it is empty")
    document = _parsed(text)
    if is_har(document):
        return _some(file, read_har(document, file.name), "it has no request to an API with a JSON answer")
    if is_openapi(document):
        return _some(file, read_openapi(document, file.name), "it describes no GET operation and no login")
    if isinstance(document, dict | list) and _is_json(text):
        return [Exchange(file.name, path="", status=200, body=document)]
    if curl_lines(text):
        return _some(file, read_curl(text, file.name), "no curl line in it has a URL")
    raise _none_of_these(file, "its contents are neither JSON, nor YAML with openapi or swagger, nor lines with curl")


def _some(file: Path, found: list[Exchange], otherwise: str) -> list[Exchange]:
    if not found:
        raise _none_of_these(file, otherwise)
    return found


def _none_of_these(file: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{file} shows nothing of the API: {why}. --from takes an OpenAPI or Swagger document (JSON or YAML), a HAR "
        "file, a file of curl lines, or a saved JSON answer."
    )


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _parsed(text: str) -> Any:
    """The document in JSON or YAML text; None if it is neither."""
    if _is_json(text):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None
    if "openapi" not in text and "swagger" not in text:
        return None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError, ValueError):
        return None
