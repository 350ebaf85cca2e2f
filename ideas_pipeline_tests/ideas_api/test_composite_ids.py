from __future__ import annotations

import pytest

from ideas_pipeline.contract.model import Each
from ideas_pipeline.ideas_api.composite_ids import names_people
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline_tests.end_to_end.pipeline import contract_with


def test_the_scopes_of_a_stream_name_people_if_they_come_from_a_column_of_people() -> None:
    contract = contract_with({"streams": {"votes": {"key": {"!": []}}}})
    comments = contract.streams["comments"]
    for table in TABLES.values():
        for column in table.c:
            each = Each(of=(f"{table.name}.{column.name}",), placeholder="idea_id")
            from_column = {**contract.streams, "comments": comments.model_copy(update={"each": each})}
            found = names_people(contract.model_copy(update={"streams": from_column}), "comments")
            assert found == (pii(column) == "person_id"), str(column)


@pytest.mark.parametrize("source", ["ideas.id", "votes.idea_id"])
def test_an_id_that_is_made_of_a_persons_names_that_person(source: str) -> None:
    streams = {"ideas": {"key": ["challenge_id", "author_id"]}, "comments": {"each": {"of": [source]}}}
    assert names_people(contract_with({"streams": streams}), "comments")
    assert not names_people(contract_with({"streams": streams}), "challenges")
