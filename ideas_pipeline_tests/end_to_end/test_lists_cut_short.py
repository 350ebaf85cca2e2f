"""Lists inside records that say that they go on elsewhere: what they hold is loaded, and the rest is not missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.sync.findings import Expectations, stream_findings
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import stream
from ideas_pipeline_tests.end_to_end.small_api import column, read, small_api


def lists(labels: Any = None, replies: Any = None) -> dict[str, Any]:
    return {
        "challenges": [{"id": 1, "title": "C"}],
        "challenges/1/ideas": [{"id": 10, "title": "I", "labels": labels}],
        "ideas/10/comments": [{"id": 1, "body": "top", "replies": replies}],
    }


def labels(warehouse: Warehouse) -> set[str]:
    table = TABLES["idea_labels"]
    with warehouse.engine.connect() as connection:
        return set(connection.scalars(sa.select(table.c.label_id).where(table.c._deleted_at.is_(None))))


def test_labels_that_an_envelope_leaves_out_are_not_deleted(warehouse: Warehouse, tmp_path: Path) -> None:
    every = [{"id": n, "name": f"L{n}"} for n in range(1, 4)]
    cut = {"nodes": [every[0], {"id": 9, "name": "new"}], "pageInfo": {"hasNextPage": True}}
    whole = {"nodes": every[:1], "pageInfo": {"hasNextPage": False}}
    for embedded, live in ((every, {"1", "2", "3"}), (cut, {"1", "2", "3", "9"}), (whole, {"1"})):
        with small_api(lists(labels=embedded)) as server:
            assert read(server, warehouse, tmp_path, mass_absence_percent=100).verdict == "complete"
        assert labels(warehouse) == live


def test_labels_that_a_count_beside_them_knows_of_are_not_deleted(warehouse: Warehouse, tmp_path: Path) -> None:
    every = [{"id": n, "name": f"L{n}"} for n in range(1, 4)]
    for shown, count, live in ((3, 3, {"1", "2", "3"}), (0, 3, {"1", "2", "3"}), (1, 1, {"1"})):
        ideas = [{"id": 10, "title": "I", "labels": every[:shown], "labels_count": count}]
        with small_api(lists() | {"challenges/1/ideas": ideas}) as server:
            assert read(server, warehouse, tmp_path, mass_absence_percent=100).verdict == "complete"
        assert labels(warehouse) == live


def test_a_count_that_is_always_too_high_is_a_finding(warehouse: Warehouse, tmp_path: Path) -> None:
    every = [{"id": n, "name": f"L{n}"} for n in range(1, 4)]
    for items, live in ((every, {"1", "2", "3"}), (every[:1], {"1", "2", "3"})):
        with small_api(lists(labels={"items": items, "total": len(items) + 1})) as server:
            assert read(server, warehouse, tmp_path, mass_absence_percent=100).verdict == "complete"
        assert labels(warehouse) == live
        with warehouse.reading() as tx:
            found = stream_findings(tx, load_contract(None), "ideas", Expectations("UTC", 14, 36), datetime.now(UTC))
        complete = next(finding for finding in found if finding.code == "completeness")
        assert (complete.severity, complete.is_doubt) == ("warning", True)
        assert "the API sends only a part of idea_labels in 1 record" in complete.what
        assert "a parameter that shows more items" in complete.do


def test_replies_that_an_envelope_leaves_out_are_not_deleted(warehouse: Warehouse, tmp_path: Path) -> None:
    every = [{"id": n, "body": "re"} for n in range(2, 5)]
    with small_api(lists(replies=every)) as server:
        assert read(server, warehouse, tmp_path).verdict == "complete"
    with small_api(lists(replies={"items": every[:1], "has_more": True})) as server:
        result = read(server, warehouse, tmp_path)
    assert "replies in a record is not the whole list" in str(stream(result, "comments").reason)
    assert column(warehouse, "comments.id").keys() == {"1", "2", "3", "4"}
    with small_api(lists(replies={"items": every, "count": 7})) as server:
        assert read(server, warehouse, tmp_path).verdict == "complete"
