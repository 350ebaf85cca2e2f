from __future__ import annotations

import pytest

from ideas_pipeline.text import Repeated
from ideas_pipeline_tests.records.rows import loaded, typed_rows, value


@pytest.mark.parametrize(
    ("given", "text"),
    [("a7", "a7"), (7, "7"), (7.0, "7"), (2**60, str(2**60)), ("", "")]
    + [(10**20 + n, f"10000000000000000000{n}") for n in (1, 2)]
    + [("012", "012"), ("aB", "aB"), ("7 ", "7 ")],
)
def test_an_id_is_text(given, text):
    assert value("stage_id", given) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [("a", "a"), (3, "3"), (3.5, "3.5"), (True, "true"), ({"b": [1], "a": "é"}, '{"a":"é","b":[1]}'), ([], "[]")],
)
def test_any_json_can_be_a_text(given, text):
    assert value("title", given) == text


@pytest.mark.parametrize(
    ("given", "number"), [(12, 12), (12.0, 12), ("12", 12), (" -12 ", -12), ("12.0", 12), (2**63 - 1, 2**63 - 1)]
)
def test_whole_numbers_come_in_many_forms(given, number):
    assert value("vote_count", given) == number


@pytest.mark.parametrize(
    ("given", "number"), [(12, 12.0), ("3.50", 3.5), (" -1e3 ", -1000.0), (".5", 0.5), (2**70, float(2**70))]
)
def test_numbers_come_in_many_forms(given, number):
    assert value("score", given) == number


@pytest.mark.parametrize(
    ("given", "truth"),
    [
        (True, True),
        (0, False),
        (1.0, True),
        ("1", True),
        ("No", False),
        (" ON ", True),
        ("false", False),
        ("Y", True),
        ("n", False),
        ("T", True),
        ("f", False),
        ("Off", False),
    ],
)
def test_booleans_come_in_many_forms(given, truth):
    assert value("is_anonymous", given) is truth


@pytest.mark.parametrize(
    ("column", "given", "reason"),
    [
        ("stage_id", True, "is not an id: an id is text or a whole number"),
        ("stage_id", 1.5, "is not an id: an id is text or a whole number"),
        ("stage_id", [1, 2], "is not an id: an id is text or a whole number"),
        ("stage_id", "é" * 501, "is not an id: it is longer than 1,000 bytes"),
        ("vote_count", "n/a", "is not a whole number"),
        ("vote_count", 1.5, "is not a whole number"),
        ("vote_count", False, "is not a whole number"),
        ("vote_count", 2**63, "is too large"),
        ("vote_count", "9" * 25, "is too large"),
        ("vote_count", 10**40, "is too large"),
        ("vote_count", {"a": 1}, "is not a whole number"),
        ("score", "3,50", "is not a number"),
        ("score", float("nan"), "is not a finite number"),
        ("score", "1e999", "is not a finite number"),
        ("score", 10**400, "is not a finite number"),
        ("is_anonymous", 2, "is neither true nor false"),
        ("is_anonymous", "maybe", "is neither true nor false"),
        ("vote_count", "ann@example.com", "is not a whole number"),
        ("title", Repeated(["a", "b"]), "came more than once in its record, with different values"),
    ],
)
def test_what_cannot_be_read_is_null_in_its_row_and_has_a_reason_that_gives_nobody_away(column, given, reason):
    assert value(column, given) == reason


def test_none_stays_none_in_every_column():
    [row] = loaded(typed_rows("ideas", {"id": "1"}))
    assert {name for name, given in row.items() if given is not None} == {"id", "_row_hash", "_scope"}


def test_text_that_no_engine_can_hold_is_cleaned():
    row = {
        "id": "a\x00b",
        "title": "x\ud800y",
        "body": {"\udfff": "\x00"},
        "_extra": {"n": ["\x00", "\ud83d"], "s": "\\u0000"},
    }
    [cleaned] = loaded(typed_rows("ideas", row))
    assert cleaned["id"] == "a\ufffdb"
    assert cleaned["title"] == "x\ufffdy"
    assert cleaned["body"] == '{"\ufffd":"\ufffd"}'
    assert cleaned["_extra"] == '{"n":["\ufffd","\ufffd"],"s":"\\\\u0000"}'


def test_unmapped_fields_are_json_text_with_sorted_names_or_null():
    rows = loaded(typed_rows("ideas", {"id": "1", "_extra": {"b": 2**70, "a": float("inf")}}, {"id": "2"}))
    assert [row["_extra"] for row in rows] == ['{"a":null,"b":1180591620717411303424}', None]
