"""Files that show an API, and what ``fit`` makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.files import read_file
from ideas_pipeline.fit.fit import infer
from ideas_pipeline.fit.recorded import address_of, below
from ideas_pipeline.sync.contract_fit import misfits


def fitted_from(*files: Path, base_url: str | None = None) -> Draft:
    """What the files show without the API."""
    draft = Draft(load_contract(None).model_dump(by_alias=True), misfits)
    exchanges = [exchange for file in files for exchange in read_file(file)]
    infer(draft, below(exchanges, address_of(exchanges, base_url)), None, None)
    return draft


def values(draft: Draft) -> dict[str, Any]:
    """The values that would be written, by their places."""
    return {".".join(map(str, place)): line.value for place, line in draft.lines.items()}


def shown(draft: Draft) -> str:
    """All that an operator or the contract file gets to see."""
    lines = [f"{line.place} {json.dumps(line.value)} {line.reason}" for line in draft.lines.values()]
    asked = [f"{question.text} {question.proposal}" for question in draft.questions]
    return "\n".join([*lines, *asked, *draft.notes, *draft.confirmed.values()])


def har(folder: Path, *entries: dict[str, Any]) -> Path:
    """A HAR file with these entries."""
    file = folder / "visit.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    return file


def entry(
    url: str, body: Any, *, posted: dict[str, Any] | None = None, headers: dict[str, str] | None = None, **answer: str
) -> dict[str, Any]:
    """An entry of a HAR.

    Args:
        url: the request's URL.
        body: the JSON of the response.
        posted: the JSON that is posted; None for a GET.
        headers: the request's headers.
        answer: the response's headers, with ``_`` for ``-``.
    """
    request: dict[str, Any] = {"method": "POST" if posted else "GET", "url": url, "headers": _pairs(headers or {})}
    if posted:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(posted)}
    answered = {name.replace("_", "-"): value for name, value in answer.items()}
    content = {"mimeType": "application/json", "text": json.dumps(body)}
    return {"request": request, "response": {"status": 200, "headers": _pairs(answered), "content": content}}


def _pairs(headers: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]
