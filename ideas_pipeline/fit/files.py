"""Read what a user already has of the API: OpenAPI documents, HAR files, curl lines, saved answers."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ideas_pipeline import plain_file
from ideas_pipeline.contract.yaml_bounds import is_too_deep, is_too_large, parts
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.fit.curl import curl_lines, read_curl
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.har import is_har, read_har
from ideas_pipeline.fit.openapi import is_openapi, read_openapi

_LARGEST = 200 * 2**20
_MOST_PARTS = 200_000  # of YAML, which then takes minutes; JSON has no such limit


def read_file(file: Path) -> list[Exchange]:
    """The exchanges that a file shows.

    Raises:
        SettingsError: the file cannot be read, or is not of a known kind. It names the file, never its contents.
    """
    try:
        text = plain_file.read(file, _LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{file} does not exist. Check the name after --from.") from None
    except UnicodeDecodeError:
        raise _none_of_these(file, "it is not UTF-8 text") from None
    except OSError as error:
        advice = " Export only the requests to the API." if error.errno == errno.EFBIG else ""
        raise SettingsError(f"{file} cannot be read: {error.strerror}.{advice}") from None
    if not text.strip():
        raise _none_of_these(file, "it is empty")
    document = _parsed(file, text)
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


def _parsed(file: Path, text: str) -> Any:
    """The document in the JSON or YAML text of a file; None if it is neither. Raises SettingsError."""
    if _is_json(text):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None
    if "openapi" not in text and "swagger" not in text:
        return None
    if is_too_deep(text) or parts(text) > _MOST_PARTS:
        raise _none_of_these(file, "it nests too deeply, or is too large for YAML: convert it to JSON")
    try:
        document = YAML(typ="safe", pure=True).load(text)
        if is_too_large(document):
            raise _none_of_these(file, "its aliases (*name) repeat its values far too often")
        return document
    except (YAMLError, RecursionError, ValueError):
        return None
