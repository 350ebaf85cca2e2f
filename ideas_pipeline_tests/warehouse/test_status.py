from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ideas_pipeline.warehouse.runs import RunStart, finish_run, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.status import created_at, last_complete, last_sync, status
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import night
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing


def a_run(warehouse: Warehouse, day: int, verdict: str, *streams: str, mode: str = "incremental") -> None:
    run_id = f"night-{day}"
    call_writing(warehouse, start_run, RunStart(run_id, "https://api.example.com/v2", night(day), mode=mode))
    for stream in streams:
        call_writing(warehouse, start_stream, run_id, stream, night(day))
        call_writing(
            warehouse, finish_stream, run_id, stream, night(day), verdict, None, requests=7, retries=2, hidden_changes=1
        )
    call_writing(warehouse, finish_run, run_id, verdict, None, night(day))


def test_a_stream_is_proven_when_a_sync_last_proved_it(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    a_run(warehouse, 1, "complete", "ideas", "votes")
    a_run(warehouse, 2, "complete", "ideas", mode="full")
    a_run(warehouse, 3, "incomplete", "ideas", "comments")

    assert call_reading(warehouse, last_complete) == {"ideas": night(2), "votes": night(1)}
    assert call_reading(other_warehouse, last_complete) == {}


@pytest.mark.parametrize("mode", ["window", "replay", "retry", "confirm"])
def test_what_is_not_a_sync_proves_nothing(warehouse: Warehouse, mode: str) -> None:
    a_run(warehouse, 1, "complete", "ideas")
    a_run(warehouse, 2, "complete", "ideas", mode=mode)

    assert call_reading(warehouse, last_complete) == {"ideas": night(1)}
    last = call_reading(warehouse, last_sync)
    assert last is not None
    assert last.run_id == "night-1"
    [ideas] = call_reading(warehouse, status)
    assert (ideas.finished_at, ideas.last_complete_at) == (night(1), night(1))


def test_the_last_sync_that_ended_is_shown_with_what_it_took(warehouse: Warehouse) -> None:
    assert call_reading(warehouse, last_sync) is None
    a_run(warehouse, 1, "incomplete", "ideas", "votes", mode="full")
    call_writing(warehouse, start_run, RunStart("night-2", "https://api.example.com/v2", night(2)))

    last = call_reading(warehouse, last_sync)

    assert last is not None
    assert (last.mode, last.verdict, last.requests, last.hidden_changes) == ("full", "incomplete", 14, 2)
    assert (last.started_at, last.finished_at) == (night(1), night(1))


def test_a_warehouse_knows_since_when_it_is_there(warehouse: Warehouse) -> None:
    assert call_reading(warehouse, created_at).date() == datetime.now(UTC).date()
