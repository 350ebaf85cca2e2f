"""The JSON of an archived page, to be read and written again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
from requests.structures import CaseInsensitiveDict

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.ideas_api.json_body import parse
from ideas_pipeline.text import clean_json

_CONTENT_TYPE = "Content-Type"


def document_of(page: ArchivedPage) -> Any:
    """The JSON of a page's body. Raises ValueError if it is not JSON."""
    return parse(page.body, CaseInsensitiveDict(page.headers).get(_CONTENT_TYPE, "")).value


def with_document(page: ArchivedPage, document: Any) -> ArchivedPage:
    """The page with another body, in UTF-8 whatever it was before. Raises ValueError if it is nested too deeply."""
    headers = {name: value for name, value in page.headers.items() if name.lower() != _CONTENT_TYPE.lower()}
    return replace(page, body=_written(document), headers=headers)


def _written(document: Any) -> bytes:
    """The JSON of a document, in its own order: the items of a map have places."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        pass  # integers of more than 64 bits, or nested too deeply
    try:
        return json.dumps(clean_json(document, finite=True), ensure_ascii=False, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("is nested too deeply") from None
