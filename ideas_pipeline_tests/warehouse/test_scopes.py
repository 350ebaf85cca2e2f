from __future__ import annotations

import pytest

from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.warehouse import scopes
from ideas_pipeline.warehouse.runs import RunStart, start_run
from ideas_pipeline.warehouse.scopes import prune_sweeps
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import held, load, night, read
from ideas_pipeline_tests.warehouse.calls import call_writing


def was_read(warehouse: Warehouse, on: int, *scopes: str, judged: bool = True) -> None:
    load(warehouse, "ideas", [], on=on, scopes=[read(scope, judged=judged, swept_at=night(on)) for scope in scopes])


def nights(warehouse: Warehouse) -> dict[str, list[int]]:
    """By list, the nights of which it is still known how it was read."""
    found: dict[str, list[int]] = {}
    for row in sorted(held(warehouse, SYNC_SCOPES), key=lambda row: row["swept_at"]):
        found.setdefault(row["scope"], []).append(row["swept_at"].day)
    return found


def test_readings_of_the_last_days_stay_and_of_older_ones_the_newest_of_each_list(warehouse: Warehouse) -> None:
    for on in (1, 2, 3):
        was_read(warehouse, on, "c1", "c2")
    for on in (8, 9):
        was_read(warehouse, on, "c1")
    assert prune_sweeps(warehouse, "ideas", night(7)) == 3 + 2
    assert nights(warehouse) == {"c1": [8, 9], "c2": [3]}
    assert prune_sweeps(warehouse, "ideas", night(7)) == 0


def test_the_last_proof_stays_however_often_the_list_could_not_be_read_since(warehouse: Warehouse) -> None:
    was_read(warehouse, 1, "c1")
    was_read(warehouse, 2, "c1")
    for on in (3, 4, 9):
        was_read(warehouse, on, "c1", judged=False)
    prune_sweeps(warehouse, "ideas", night(7))
    assert nights(warehouse) == {"c1": [2, 9]}


def test_a_replay_is_not_a_reading(warehouse: Warehouse) -> None:
    was_read(warehouse, 1, "c1")
    call_writing(warehouse, start_run, RunStart("night-9", "archive", night(9), mode="replay"))
    was_read(warehouse, 9, "c1")
    assert prune_sweeps(warehouse, "ideas", night(7)) == 0


def test_other_streams_and_communities_keep_theirs(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    for on in (1, 2):
        was_read(warehouse, on, "c1")
    assert prune_sweeps(warehouse, "votes", night(7)) == 0
    assert prune_sweeps(other_warehouse, "ideas", night(7)) == 0
    assert nights(warehouse) == {"c1": [1, 2]}


def test_more_lists_than_a_transaction_holds_are_all_seen_to(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "_ROWS_AT_ONCE", 3)
    lists = [f"c{n}" for n in range(10)]
    for on in (1, 2, 9):
        was_read(warehouse, on, *lists)
    assert prune_sweeps(warehouse, "ideas", night(7)) == 20
    assert nights(warehouse) == {name: [9] for name in lists}
