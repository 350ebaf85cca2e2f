"""Findings about lists that are complete, and whose content is wrong all the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.findings import Expectations, reference_findings, stream_findings
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.small_api import Lists, read, small_api

CONTRACT = load_contract(None)


def completeness(warehouse: Warehouse, folder: Path, stream: str, lists: Lists) -> Finding:
    with small_api(lists) as server:
        assert read(server, warehouse, folder).verdict == "complete"
    with warehouse.reading() as tx:
        found = stream_findings(tx, CONTRACT, stream, Expectations("UTC", 14, 36), datetime.now(UTC))
    return next(finding for finding in found if finding.code == "completeness")


def test_a_list_that_was_always_empty_is_doubtful(warehouse: Warehouse, tmp_path: Path) -> None:
    """A community has at least the account that reads it; an API can send an empty page for a size that it refuses."""
    finding = completeness(warehouse, tmp_path, "users", {})
    assert (finding.severity, finding.is_doubt) == ("warning", True)
    assert finding.what == "The list of users is empty, and always was."

    assert completeness(warehouse, tmp_path, "users", {"users": [{"id": 1, "name": "Ann"}]}).severity == "note"


def test_references_that_are_written_otherwise_are_named(warehouse: Warehouse, tmp_path: Path) -> None:
    ideas = [{"id": n, "title": "I", "author": {"id": author}} for n, author in enumerate(("ab7", "AB7", "gone"))]
    lists = {"users": [{"id": "AB7", "name": "Ann"}], "challenges": [{"id": 1}], "challenges/1/ideas": ideas}
    with small_api(lists) as server:
        read(server, warehouse, tmp_path)
    with warehouse.reading() as tx:
        (finding,) = reference_findings(tx, CONTRACT, "ideas")
    assert finding.what == (
        "References without a row: ideas.author_id → users (2). "
        "Ids that differ from a row's only in letter case or blanks: 1 or more."
    )
    assert "report it to the vendor" in finding.do
