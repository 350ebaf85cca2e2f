from __future__ import annotations

from ideas_pipeline.sync.engine import finish_run
from ideas_pipeline.warehouse.runs import RunOutcome, RunStart, finish_stream, outcome, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import night
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing


def test_a_run_with_a_stream_that_was_interrupted_has_failed_and_is_worth_a_second_try(warehouse: Warehouse) -> None:
    call_writing(warehouse, start_run, RunStart("night-1", "https://api.example.com/v2", night(1)))
    call_writing(warehouse, start_stream, "night-1", "users", night(1))
    call_writing(warehouse, start_stream, "night-1", "ideas", night(1))
    call_writing(warehouse, finish_stream, "night-1", "ideas", night(1), "complete", None)
    call_writing(warehouse, finish_run, "night-1", night(1))
    assert call_reading(warehouse, outcome, "night-1") == RunOutcome("failed", "users: it was interrupted", True)
