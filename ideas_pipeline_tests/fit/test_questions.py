"""What a person types becomes a value of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.types import Steps
from ideas_pipeline.fit.draft import Draft, Question
from ideas_pipeline.fit.questions import answer
from ideas_pipeline.sync.contract_fit import misfits

RECORDS: Steps = ("streams", "ideas", "records")
FIELD: Steps = ("auth", "code", "fields", "id")


@pytest.mark.parametrize(
    ("place", "text", "value"),
    [
        (RECORDS, "@body", "@body"),
        (RECORDS, "[data, rows]", ["data", "rows"]),
        (RECORDS, "2026-13-45", "2026-13-45"),
        (FIELD, "{client_id}", "{client_id}"),
        (FIELD, '"{client_id}"', "{client_id}"),
        (("auth", "header", "format"), "{access_token}", "{access_token}"),
        (("auth", "header", "format"), "Bearer {access_token}", "Bearer {access_token}"),
        (("streams", "ideas", "paging", "total"), "null", None),
        (("limits", "concurrency"), "3", 3),
    ],
)
def test_an_answer_is_read_as_yaml_or_else_as_text(place: Steps, text: str, value: Any) -> None:
    draft = Draft(load_contract(None).model_dump(by_alias=True), lambda _: [])
    draft.ask(place, "Which?")
    assert answer(draft, draft.questions[0], text)
    assert (draft.lines[place].value, draft.questions) == (value, [])


@pytest.mark.parametrize("text", ["", " ", "# a comment", "[unclosed", "{"])
def test_an_answer_that_makes_the_contract_invalid_is_refused(text: str) -> None:
    draft = Draft(load_contract(None).model_dump(by_alias=True), misfits)
    assert not answer(draft, Question(("limits", "concurrency"), "How many?"), text)
