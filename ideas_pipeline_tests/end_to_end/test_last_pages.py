"""Signs of a list's end that contradict each other: a cursor beside "no more", a short page that is a full one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.test_list_ends import live, people, synced
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.ideas_api.scripted_server import Answer

CURSOR = {"style": "cursor", "cursor": "page.next", "cursor_parameter": "after", "size_parameter": "per_page"}


@on_sqlite
@pytest.mark.parametrize(
    "flags",
    [
        lambda more: {"page": {"has_more": more}},
        lambda more: {"page": {"hasNextPage": str(more)}},
        lambda more: {"has_next": int(more)},
        lambda more: {"meta": {"has_more": "Y" if more else "N"}},
        lambda more: {"is_last": "false" if more else "true"},
        lambda more: {"last": not more},
    ],
    ids=["has_more", "text", "number", "letter", "is_last", "last"],
)
def test_a_cursor_beside_no_more_pages_leads_nowhere(flags: Any, warehouse: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        after = int(query.get("after", 0)) % 7  # after the last record, the list begins again
        page = people(*range(after + 1, min(after + 3, 7) + 1))
        said = flags(page[-1]["id"] < 7)
        return Answer(body={"data": page, **said, "page": {"next": page[-1]["id"], **said.get("page", {})}})

    for _ in "first night", "second night":
        assert synced(lists, warehouse, tmp_path, CURSOR).verdict == "complete"
        assert live(warehouse) == set(range(1, 8))


@on_sqlite
def test_more_pages_are_read_as_long_as_there_is_a_cursor_and_nothing_denies_it(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        after = int(query.get("after", 0))
        page = people(*range(after + 1, min(after + 3, 7) + 1))
        body: dict[str, Any] = {"data": page, "page": {"next": after + 3 if after < 6 else None}, "has_more": None}
        body |= {"last": 1, "meta": {"last_page": 3}}
        return Answer(body=body)

    assert synced(lists, warehouse, tmp_path, CURSOR).verdict == "complete"
    assert live(warehouse) == set(range(1, 8))


@on_sqlite
@pytest.mark.parametrize("limit", [3, 4, 12])
def test_a_limit_of_the_apis_own_cuts_no_record_off_a_list(limit: int, warehouse: Warehouse, tmp_path: Path) -> None:
    """Pages begin at multiples of the size that was asked for, but hold fewer records."""

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        size = int(query.get("per_page", 100))
        start = (int(query.get("page", 1)) - 1) * size
        return Answer(body={"data": people(*range(1, 21))[start : start + min(size, limit)]})

    for _ in "first night", "second night":
        assert synced(lists, warehouse, tmp_path, {"size": 100}).verdict == "complete"
        assert live(warehouse) == set(range(1, 21))


@on_sqlite
def test_an_empty_text_is_an_empty_list(warehouse: Warehouse, tmp_path: Path) -> None:
    """XML has no empty lists: what converts it to JSON writes an empty text."""

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return Answer(body={"data": people(1, 2, 3) if query.get("page") == "1" else ""})

    for _ in "first night", "second night":
        assert synced(lists, warehouse, tmp_path).verdict == "complete"
        assert live(warehouse) == {1, 2, 3}
