from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.ideas_api.deleted import says_deleted
from ideas_pipeline.ideas_api.field_map import field_map
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

NO_TIMES = load_contract(None).no_times


@pytest.mark.parametrize(
    "value",
    [
        *(True, 1, 1_772_355_600, "1", "true", "Yes", " y ", "deleted", "2026-03-01T09:00:00Z", "1772355600"),
        *({"by": 7}, {"date": "2026-03-01 09:00:00.000000", "timezone": "UTC"}, {"$date": 1_772_355_600_000}),
    ],
)
def test_what_says_that_a_record_is_deleted(value: Any) -> None:
    assert says_deleted(value, NO_TIMES)


@pytest.mark.parametrize(
    "value",
    [
        *(None, False, 0, -1, 0.0, "", " ", "0", "0.0", "false", "No", "n", "null", [], {}),
        *("published", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "9999-12-31"),
        *({"date": "-0001-11-30 00:00:00.000000", "timezone_type": 3, "timezone": "UTC"}, {"$date": None}),
        *(
            {"$date": {"$numberLong": "-62135596800000"}},
            {"seconds": 0, "nanos": 0},
            {"value": "", "display_value": ""},
        ),
        {"dateTime": "0001-01-01T00:00:00.0000000", "timeZone": "UTC"},
    ],
)
def test_what_does_not_say_so(value: Any) -> None:
    assert not says_deleted(value, NO_TIMES)


@pytest.mark.parametrize(
    ("record", "is_deleted"),
    [
        ({"deleted_at": None, "meta": {"is_deleted": True}}, True),
        ({"deleted_at": "", "meta": {"is_deleted": True}}, False),
        ({"meta": {"is_deleted": False}}, False),
        ({}, False),
    ],
)
def test_the_first_field_that_is_not_null_counts_and_none_is_stored_as_extra(
    record: dict[str, Any], is_deleted: bool
) -> None:
    contract = contract_with({"streams": {"ideas": {"deleted": ["deleted_at", "meta.is_deleted"]}}})
    found = field_map(contract, "ideas")({"id": 1} | record, None, 0, "7")
    assert (found.deleted, found.extra) == (is_deleted, {})


def test_without_the_word_a_record_says_nothing() -> None:
    found = field_map(load_contract(None), "ideas")({"id": 1, "deleted_at": "2026-03-01"}, None, 0, "7")
    assert (found.deleted, found.extra) == (False, {"deleted_at": "2026-03-01"})
