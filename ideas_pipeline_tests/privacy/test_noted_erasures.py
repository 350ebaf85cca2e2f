"""The rows of `_erasures`: the list of erased people as the warehouse has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.privacy import suppression
from ideas_pipeline.privacy.key import Key
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.privacy.people import KEY, list_in, surrogate
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_what_is_noted_is_listed_and_names_the_tables_of_each_person(sqlite_url: str, tmp_path: Path) -> None:
    people = list_in(tmp_path, community=COMMUNITY)
    first, second = people.add("42", {KEY.word("Ann Lee")}, texts=True), people.add("43", set())
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        call_writing(warehouse, suppression.note, [], KEY, "erase", AT, {"ideas": 9})
        assert call_reading(warehouse, suppression.listed, KEY) == []
        call_writing(warehouse, suppression.note, [first], KEY, "erase", AT, {"users": 1, "ideas": 2})
        call_writing(warehouse, suppression.note, [second], KEY, "erase", AT, {"comments": 1})
        call_writing(warehouse, suppression.note, [replace(first, at=AT)], KEY, "sync", AT, {"votes": 1})
        listed = call_reading(warehouse, suppression.listed, KEY)
        assert {(entry.surrogate, entry.texts, entry.words) for entry in listed} == {
            (first.surrogate, True, first.words),
            (second.surrogate, False, frozenset()),
        }
        assert call_reading(warehouse, suppression.tables_of, first.surrogate) == {"users", "ideas", "votes"}
        assert call_reading(warehouse, suppression.tables_of, second.surrogate) == {"comments"}
        with pytest.raises(PrivacyError, match="made with another key"):
            call_reading(warehouse, suppression.listed, Key("somebody else's key", None))


def test_the_texts_of_a_person_are_hidden_only_if_that_was_asked_for(tmp_path: Path) -> None:
    people = list_in(tmp_path)
    people.add("42", set(), texts=True)
    people.add("43", set())
    assert [people.hides_texts(surrogate(person)) for person in ("42", "43", "44")] == [True, False, False]
