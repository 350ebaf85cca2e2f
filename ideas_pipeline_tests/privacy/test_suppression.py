from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.privacy.key import Key
from ideas_pipeline_tests.privacy.people import KEY, erased, list_in, surrogate


def test_the_list_names_nobody_and_is_for_its_owner_alone(tmp_path):
    erased(tmp_path, "person-4711", "Ann Lee", "ann@people.example")
    file = tmp_path / "suppressed.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert not [word for word in ("4711", "Ann", "ann@") if word in text]


def test_who_is_on_the_list_is_recognised_by_id_name_and_address(tmp_path):
    people = erased(tmp_path, "42", "Ann Lee", "ann@people.example")
    assert people.surrogate("42") == surrogate("42")
    assert people.surrogate("43") is None
    assert people.is_word(" ann  LEE ")
    assert people.is_word("Ann@people.example")
    assert not people.is_word("Ann")


def test_a_person_is_erased_from_one_community_only(tmp_path):
    erased(tmp_path, "42", "Ann Lee")
    other = list_in(tmp_path, community="d")
    assert not other
    assert other.surrogate("42") is None


def test_what_one_process_adds_another_knows_at_its_next_look(tmp_path):
    reader = list_in(tmp_path)
    assert not reader
    erased(tmp_path, "42")
    reader.refresh()
    assert reader.surrogate("42")


def test_asked_for_once_is_asked_for_ever_whatever_another_list_says(tmp_path):
    people = erased(tmp_path, "42")
    (asked,) = people.entries()
    people.merge([replace(asked, because="there again", at=asked.at + timedelta(days=1))])
    assert people.surrogate("42")


def test_whoever_the_source_deleted_and_shows_again_is_let_in_again(tmp_path):
    people = list_in(tmp_path)
    entry = people.add("42", {KEY.word("Ann Lee")}, because="deleted at the source")
    people.merge([replace(entry, because="there again", at=datetime.now(UTC), words=frozenset())])
    assert people.surrogate("42") is None
    assert not people.is_word("Ann Lee")


def test_names_that_become_known_add_up(tmp_path):
    people = erased(tmp_path, "42", "Ann Lee")
    (entry,) = people.entries()
    people.merge([replace(entry, words=frozenset({KEY.word("Ann Smith")}))])
    assert people.is_word("Ann Lee")
    assert people.is_word("Ann Smith")


def test_a_list_that_was_made_with_another_key_is_refused(tmp_path):
    erased(tmp_path, "42")
    with pytest.raises(PrivacyError, match="another key"):
        list_in(tmp_path, key=Key("somebody else's key", None))


ENTRY = {
    "community": "c",
    "surrogate": surrogate("42"),
    "at": "2026-01-31T12:00:00+00:00",
    "because": "asked",
    "texts": False,
    "words": ["0" * 32],
}


def _list_of(*people: object) -> str:
    return json.dumps({"key": KEY.fingerprint, "people": people})


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "1", "null", "[" * 100_000, "{}", '{"key": 1, "people": []}', '{"key": "a", "people": {}}', "\0\1"]
    + [
        _list_of(entry)
        for entry in (
            "42",
            {},
            {name: value for name, value in ENTRY.items() if name != "texts"},
            ENTRY | {"of_a_newer_version": 1},
            ENTRY | {"at": "yesterday"},
            ENTRY | {"because": "of something else"},
            ENTRY | {"surrogate": "42"},
            ENTRY | {"words": "0" * 32},
            ENTRY | {"words": [1]},
        )
    ],
)
def test_a_broken_list_is_refused_kept_and_not_taken_for_an_empty_one(tmp_path, content):
    file = tmp_path / "suppressed.json"
    file.write_text(content)
    with pytest.raises(
        PrivacyError, match=r"suppressed\.json cannot be read: it is damaged.* Restore it from a backup"
    ):
        list_in(tmp_path)
    assert file.read_text() == content


def test_a_list_as_it_was_written_is_read(tmp_path):
    (tmp_path / "suppressed.json").write_text(_list_of(ENTRY))
    (entry,) = list_in(tmp_path, community="c").entries()
    assert (entry.surrogate, entry.at) == (ENTRY["surrogate"], datetime(2026, 1, 31, 12, tzinfo=UTC))


def test_a_link_to_a_list_is_refused(tmp_path):
    erased(tmp_path, "42")
    (tmp_path / "suppressed.json").rename(tmp_path / "elsewhere")
    (tmp_path / "suppressed.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PrivacyError, match="cannot be read: it is a link"):
        list_in(tmp_path)


def test_a_list_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(PrivacyError, match="cannot be written"):
        erased(tmp_path / "state", "42")
