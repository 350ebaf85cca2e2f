from __future__ import annotations

import time
from typing import Any

from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy.account_changes import note_account_changes
from ideas_pipeline_tests.privacy.people import KEY, erased, list_in, record


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
