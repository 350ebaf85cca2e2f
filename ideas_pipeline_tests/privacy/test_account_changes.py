from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy.account_changes import note_account_changes
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.privacy.suppression import SuppressionList
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.privacy.people import KEY, KEY_TEXT, erased, list_in, record
from ideas_pipeline_tests.warehouse.batches import COMMUNITY


def page(received_at: float | None = None, **columns: Any) -> Page:
    return Page([record(**columns)], None, None, 1, received_at or time.time() + 60)


def test_an_erased_address_under_another_id_is_the_same_person(tmp_path):
    people = erased(tmp_path, "42", "ann@people.example")
    note_account_changes(people, page(id="77", email="Ann@people.example", display_name="A. Lee"))
    assert list_in(tmp_path).surrogate("77")
    assert people.is_word("A. Lee")


def test_a_mere_name_makes_nobody_the_same_person(tmp_path):
    people = erased(tmp_path, "42", "Ann Lee")
    note_account_changes(people, page(id="77", display_name="Ann Lee"))
    assert people.surrogate("77") is None


def test_a_name_that_an_erased_person_took_later_is_kept_out_as_well(tmp_path):
    people = erased(tmp_path, "42", "Ann Lee")
    note_account_changes(people, page(id=42, display_name="Ann Smith"))
    assert list_in(tmp_path).is_word("Ann Smith")


def test_an_account_that_is_there_again_was_not_deleted_at_the_source(tmp_path):
    people = list_in(tmp_path)
    people.add("42", {KEY.word("Ann Lee")}, because="deleted at the source")
    note_account_changes(people, page(id="42", received_at=time.time() - 3600))
    assert people.surrogate("42"), "an older answer says nothing of today"
    note_account_changes(people, page(id="42"))
    assert people.surrogate("42") is None
    assert not people.is_word("Ann Lee")


def test_an_account_that_is_listed_as_deleted_is_not_there_again(tmp_path):
    people = list_in(tmp_path)
    people.add("42", {KEY.word("Ann Lee")}, because="deleted at the source")
    listed = page(id="42", display_name="Ann Lee")
    listed.records[0].deleted = True
    note_account_changes(people, listed)
    assert people.surrogate("42")


def test_whoever_asked_to_be_erased_stays_erased_though_the_account_is_there(tmp_path):
    people = erased(tmp_path, "42")
    note_account_changes(people, page(id="42"))
    assert people.surrogate("42")


def test_whoever_deleted_an_account_and_made_another_is_there_under_the_new_one(tmp_path):
    people = list_in(tmp_path)
    people.add("42", {KEY.word("ann@people.example")}, because="deleted at the source")
    for _ in range(3):
        note_account_changes(people, page(id="77", email="ann@people.example"))
        assert people.surrogate("77") is None
    assert people.surrogate("42")


def test_whoever_asked_to_be_erased_stays_erased_under_a_new_account_too(tmp_path):
    people = list_in(tmp_path)
    for person, because in (("41", "deleted at the source"), ("42", "asked"), ("43", "deleted at the source")):
        people.add(person, {KEY.word("ann@people.example")}, because=because)
    for _ in range(3):
        note_account_changes(people, page(id="77", email="ann@people.example"))
        assert people.surrogate("77")


def test_who_came_back_is_not_forgotten_if_pages_come_while_others_are_readmitted(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = list_in(tmp_path)
    for person in ("42", "43"):
        people.merge([people.entry(person, set(), because="deleted at the source")])
    privacy = Privacy(contract_with({}), COMMUNITY, folder=tmp_path, key=KEY_TEXT)
    readmitted: list[str] = []

    def among(_tx: Transaction, back: Mapping[str, str]) -> dict[str, str]:
        readmitted.extend(back.values())
        return {}

    def noted(people: SuppressionList, of: Page) -> dict[str, str]:
        if of is first:  # what other threads do meanwhile
            privacy.readmit(warehouse)
            privacy.apply("users", page(id="43"))
        return note_account_changes(people, of)

    monkeypatch.setattr("ideas_pipeline.privacy.privacy.erased_among", among)
    monkeypatch.setattr("ideas_pipeline.privacy.account_changes.note_account_changes", noted)
    first = page(id="42")
    privacy.apply("users", first)
    privacy.readmit(warehouse)
    privacy.readmit(warehouse)
    assert sorted(readmitted) == ["42", "43"]
