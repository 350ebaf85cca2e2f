"""Findings about fields that the contract does not read, although they change what rows mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.findings import Expectations, stream_findings
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.end_to_end.small_api import read, small_api
from ideas_pipeline_tests.engines import each_on_sqlite


def findings_of(
    warehouse: Warehouse, folder: Path, ideas: list[dict[str, Any]], changes: dict[str, Any] | None = None
) -> dict[str, Finding]:
    """By code, the findings about these ideas after a sync."""
    contract = contract_with({"streams": {"ideas": changes or {}}})
    with small_api({"challenges": [{"id": 1, "title": "C", "idea_count": 3}], "challenges/1/ideas": ideas}) as server:
        read(server, warehouse, folder, contract)
    with warehouse.reading() as tx:
        found = stream_findings(tx, contract, "ideas", Expectations("UTC", 14, 36), datetime.now(UTC))
    return {finding.code: finding for finding in found}


SAY_DELETED = {
    "is_deleted": [True, False, True],
    "deleted_at": ["2026-03-01T09:00:00Z", None, "2026-03-02T09:00:00Z"],
    "deleted": [1, 0, 1],
    "state": ["trash", "publish", "trash"],
    "status": ["Deleted", "open", "deleted"],
}


@each_on_sqlite("sent", {field: (field, values) for field, values in SAY_DELETED.items()})
def test_records_that_say_that_they_are_deleted_are_a_finding_with_its_line(
    sent: tuple[str, list[Any]], warehouse: Warehouse, tmp_path: Path
) -> None:
    field, values = sent
    ideas = [{"id": n, "title": "I", field: value} for n, value in enumerate(values)]
    finding = findings_of(warehouse, tmp_path, ideas)["unmapped_fields"]
    assert (finding.severity, finding.is_doubt, finding.numbers) == ("warning", True, {field: 2})
    assert f"streams: {{ideas: {{deleted: [{field}]}}}}" in finding.do

    settled = findings_of(warehouse, tmp_path, ideas, {"deleted": [field]})
    assert not settled.get("unmapped_fields", finding).is_doubt or "unmapped_fields" not in settled


@each_on_sqlite("field", {field: field for field in ("is_deleted", "deleted_at", "state", "status")})
def test_records_that_are_not_deleted_are_none(field: str, warehouse: Warehouse, tmp_path: Path) -> None:
    ideas = [
        {"id": n, "title": "I", field: {"is_deleted": False, "deleted_at": None}.get(field, "open")} for n in (1, 2)
    ]
    finding = findings_of(warehouse, tmp_path, ideas).get("unmapped_fields")
    assert finding is None or not finding.is_doubt


@pytest.mark.parametrize("field", ["status", "state"])
def test_a_field_that_also_calls_records_removed_is_left_to_people(
    field: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    """A moderator removes ideas, and they are still there."""
    ideas = [{"id": n, "title": "I", field: word} for n, word in enumerate(("deleted", "removed", "open"))]
    finding = findings_of(warehouse, tmp_path, ideas).get("unmapped_fields")
    assert finding is None or not finding.is_doubt


def test_a_contract_that_maps_nothing_but_ids_is_an_error(warehouse: Warehouse, tmp_path: Path) -> None:
    ideas = [{"id": 1, "type": "ideas", "attributes": {"title": "I", "body": "b"}}]
    finding = findings_of(warehouse, tmp_path, ideas)["unmapped_fields"]
    assert finding.severity == "error"
    assert "maps no field of ideas but ids" in finding.what
    assert "attributes" in finding.what


def test_declared_rows_none_of_which_came_are_an_error(warehouse: Warehouse, tmp_path: Path) -> None:
    """An API can show an empty list to an account that may not see it."""
    assert findings_of(warehouse, tmp_path, [])["declared_counts"].severity == "error"
    assert findings_of(warehouse, tmp_path, [{"id": 1, "title": "I"}])["declared_counts"].severity == "warning"
