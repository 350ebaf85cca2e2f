"""The JSON of an archived page, to be read and written again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.ideas_api.json_body import parse
from ideas_pipeline.text import json_text

_CONTENT_TYPE = "Content-Type"


def document_of(page: ArchivedPage) -> Any:
    """The JSON of a page's body. Raises ValueError if it is none."""
    return parse(page.body, CaseInsensitiveDict(page.headers).get(_CONTENT_TYPE, "")).value


def with_document(page: ArchivedPage, document: Any) -> ArchivedPage:
    """The page with another body, in UTF-8 whatever it was before. Raises ValueError if it is nested too deeply."""
    headers = {name: value for name, value in page.headers.items() if name.lower() != _CONTENT_TYPE.lower()}
    return replace(page, body=json_text(document).encode(), headers=headers)
