from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.probe.deleted import deletion_flags


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deleted_at", [None, "2026-03-01T09:00:00Z"]),
        ("deletedAt", [None, None]),
        ("deleted-on", [0, 1_772_355_600]),
        ("isDeleted", [False, True]),
        ("deleted", [0, 1]),
        ("is_deleted", ["N", "Y"]),
        ("status", ["published", "deleted"]),
        ("state", ["publish", "Trash", None]),
    ],
)
def test_fields_that_can_say_that_a_record_is_deleted(name: str, values: list[Any]) -> None:
    records = [{"id": n, name: value} for n, value in enumerate(values)]
    assert deletion_flags(load_contract(None), records) == [name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deleted", [0, 7]),  # a number of deleted replies
        ("deleted", ["by its author", ""]),
        ("deleted", [{"id": 7}, None]),
        ("deleted_at", ["the last meeting", None]),
        ("is_deleted", [True, True]),  # then nothing would be left
        ("status", ["active", "closed"]),
        ("status", ["deleted", "deleted"]),
        ("moderation_status", ["deleted", "clear"]),
        ("status", ["deleted", "removed", "clear"]),  # a moderator removes ideas, and they are still there
        ("author", [{"is_deleted": True}, {"is_deleted": False}]),
    ],
)
def test_fields_that_do_not_show_it(name: str, values: list[Any]) -> None:
    records = [{"id": n, name: value} for n, value in enumerate(values)]
    assert deletion_flags(load_contract(None), records) == []
