from __future__ import annotations

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import Unavailable
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS, SYNC_RUNS, SYNC_STREAMS
from ideas_pipeline.warehouse.absences import confirm_absences, hold_absences
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.runs import (
    RunOutcome,
    RunStart,
    failure_recorded,
    finish_run,
    finish_stream,
    incomplete_streams,
    outcome,
    start_run,
    start_stream,
    stream_verdicts,
)
from ideas_pipeline.warehouse.scopes import distinct_values, live_counts, live_ids, parent_values
from ideas_pipeline.warehouse.status import StreamStatus, status
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load, night, reject
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing


def test_a_run_is_noted_when_it_starts_and_when_it_ends(warehouse: Warehouse) -> None:
    call_writing(warehouse, start_run, RunStart("night-1", "https://api.example.com/v2", night(1)))
    [row] = held(warehouse, SYNC_RUNS)
    assert (row["verdict"], row["started_at"], row["finished_at"]) == ("running", night(1), None)
    call_writing(warehouse, finish_run, "night-1", "incomplete", "votes: the total moved", night(2))
    [row] = held(warehouse, SYNC_RUNS)
    assert (row["verdict"], row["reason"], row["finished_at"]) == ("incomplete", "votes: the total moved", night(2))


def test_a_stream_started_again_in_a_run_begins_again(warehouse: Warehouse) -> None:
    for _ in range(2):
        call_writing(warehouse, start_stream, "night-1", "ideas", night(1))
        [row] = held(warehouse, SYNC_STREAMS)
        assert (row["verdict"], row["seen"], row["finished_at"]) == ("running", 0, None)
        call_writing(warehouse, finish_stream, "night-1", "ideas", night(1), "complete", None, seen=3, inserted=3)
        [row] = held(warehouse, SYNC_STREAMS)
        assert (row["verdict"], row["seen"], row["inserted"], row["held"]) == ("complete", 3, 3, 0)


def test_values_are_distinct_live_sorted_and_never_null(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    rows = [idea("1", author_id="u2"), idea("2", author_id="u1"), idea("3", author_id="u2"), idea("4", author_id="u9")]
    load(warehouse, "ideas", [*rows, idea("5")], on=1)
    load(warehouse, "comments", [{"id": "k", "idea_id": "1", "author_id": "u3", "_scope": "1"}], on=1)
    load(warehouse, "ideas", [rows[0], rows[1], rows[2], idea("5")], on=2)
    call_writing(warehouse, confirm_absences, "ideas", ["4"], [], Deletion("night-2", night(2)))
    assert call_reading(warehouse, distinct_values, ["ideas.author_id", "comments.author_id"]) == ["u1", "u2", "u3"]
    assert call_reading(other_warehouse, distinct_values, ["ideas.author_id"]) == []


def test_what_parents_say_is_known_by_their_key(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", vote_count=7), idea("2", vote_count=0), idea("3")], on=1)
    assert call_reading(warehouse, parent_values, "ideas.id", ["vote_count", "score"]) == {
        "1": {"vote_count": 7, "score": None},
        "2": {"vote_count": 0, "score": None},
        "3": {"vote_count": None, "score": None},
    }


def test_live_rows_are_known_by_scope_and_all_together(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3", "c2")], on=1)
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}, {"id": "c2", "_scope": ""}], on=1)
    load(warehouse, "ideas", [idea("1")], on=2)
    call_writing(warehouse, confirm_absences, "ideas", ["2"], [], Deletion("night-2", night(2)))
    assert call_reading(warehouse, live_ids, "ideas", "challenge_id", "c1") == {"1"}
    assert call_reading(warehouse, live_ids, "ideas") == {"1", "3"}
    assert call_reading(warehouse, live_ids, "challenges") == {"c1", "c2"}
    assert call_reading(warehouse, live_counts, "ideas", "challenge_id") == {"c1": 1, "c2": 1}
    assert call_reading(warehouse, live_counts, "challenges") == {"": 2}


def test_the_status_of_a_stream_tells_of_its_last_run_and_of_its_rows(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    call_writing(warehouse, start_stream, "night-1", "ideas", night(1))
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3")], on=1)
    call_writing(warehouse, finish_stream, "night-1", "ideas", night(1), "complete", None)
    call_writing(warehouse, start_stream, "night-2", "ideas", night(2))
    rejects = [reject("5"), reject("l", table="idea_labels"), reject("v", table="votes")]
    load(warehouse, "ideas", [idea("1")], on=2, rejects=rejects)
    call_writing(warehouse, confirm_absences, "ideas", ["2"], [], Deletion("night-2", night(2)))
    call_writing(warehouse, hold_absences, "ideas", ["3"], "too many at once")
    call_writing(warehouse, finish_stream, "night-2", "ideas", night(2), "incomplete", "a list was cut short")
    call_writing(warehouse, start_stream, "night-2", "votes", night(3))
    assert call_reading(warehouse, status) == [
        StreamStatus(
            stream="ideas",
            verdict="incomplete",
            reason="a list was cut short",
            finished_at=night(2),
            last_complete_at=night(1),
            rows=2,
            deleted=1,
            rejects=2,
            held=1,
        ),
        StreamStatus("votes", "running", None, None, None, rows=0, deleted=0, rejects=1, held=0),
    ]
    assert call_reading(other_warehouse, status) == []


def test_a_run_of_several_parts_keeps_its_beginning_and_knows_its_parts(warehouse: Warehouse) -> None:
    for hour, stream in enumerate(["challenges", "ideas"], start=1):
        call_writing(warehouse, start_run, RunStart("night-1", "https://api.example.com/v2", night(hour)))
        call_writing(warehouse, start_stream, "night-1", stream, night(hour))
        ended = ("complete", None, None) if stream == "challenges" else ("failed", "HTTP 503", True)
        verdict, reason, retryable = ended
        call_writing(warehouse, finish_stream, "night-1", stream, night(hour), verdict, reason, retryable=retryable)
        call_writing(warehouse, finish_run, "night-1", verdict, reason, night(hour), retryable=retryable)
    assert call_reading(warehouse, stream_verdicts, "night-1") == {
        "challenges": ("complete", None, None),
        "ideas": ("failed", "HTTP 503", True),
    }
    with warehouse.reading() as transaction:
        assert outcome(transaction, "night-1") == RunOutcome("failed", "HTTP 503", retryable=True)
        assert outcome(transaction, "night-2") is None
    [run] = held(warehouse, SYNC_RUNS)
    assert (run["started_at"], run["finished_at"], run["verdict"]) == (night(1), night(2), "failed")


def ideas_read(warehouse: Warehouse, day: int, mode: str, verdict: str) -> str:
    """A run that reads both lists of ideas, or fails to; its id."""
    run_id = f"{mode}-{day}"
    call_writing(warehouse, start_run, RunStart(run_id, "https://api.example.com/v2", night(day), mode=mode))
    call_writing(warehouse, start_stream, run_id, "ideas", night(day))
    complete = {"complete": 2, "incomplete": 1, "failed": 0}[verdict]
    call_writing(
        warehouse, finish_stream, run_id, "ideas", night(day), verdict, None, scopes=2, scopes_complete=complete, seen=3
    )
    return run_id


WRONG = {"complete": {}, "incomplete": {"ideas": "was not read completely"}, "failed": {"ideas": "could not be read"}}


@pytest.mark.parametrize(
    ("verdict", "other"), [("complete", "failed"), ("complete", "incomplete"), ("failed", "complete")]
)
@pytest.mark.parametrize("mode", ["replay", "window"])
def test_a_stream_is_as_whole_as_its_last_sync_left_it_whatever_was_replayed_or_backfilled_since(
    warehouse: Warehouse, mode: str, other: str, verdict: str
) -> None:
    ideas_read(warehouse, 1, "incremental", verdict)
    ideas_read(warehouse, 2, mode, other)
    assert call_reading(warehouse, incomplete_streams, ["ideas"], "a later run") == WRONG[verdict]


@pytest.mark.parametrize("verdict", WRONG)
def test_what_a_backfill_has_read_itself_must_be_whole_as_well(warehouse: Warehouse, verdict: str) -> None:
    ideas_read(warehouse, 1, "incremental", "complete")
    backfill = ideas_read(warehouse, 2, "window", verdict)
    assert call_reading(warehouse, incomplete_streams, ["ideas"], backfill) == WRONG[verdict]


def test_a_backfill_does_not_make_whole_what_the_last_sync_left_out(warehouse: Warehouse) -> None:
    ideas_read(warehouse, 1, "incremental", "incomplete")
    backfill = ideas_read(warehouse, 2, "window", "complete")
    assert call_reading(warehouse, incomplete_streams, ["ideas"], backfill) == WRONG["incomplete"]


def test_a_sync_makes_whole_what_a_backfill_left_out(warehouse: Warehouse) -> None:
    backfill = ideas_read(warehouse, 1, "window", "failed")
    sync = ideas_read(warehouse, 2, "incremental", "complete")
    assert call_reading(warehouse, incomplete_streams, ["ideas"], sync) == {}
    assert call_reading(warehouse, incomplete_streams, ["ideas"], backfill) == WRONG["failed"]


def test_what_was_only_backfilled_was_never_synced(warehouse: Warehouse) -> None:
    backfill = ideas_read(warehouse, 1, "window", "complete")
    assert call_reading(warehouse, incomplete_streams, ["ideas"], backfill) == {"ideas": "was never synced"}


def test_more_rejected_records_than_a_statement_takes_parameters_are_counted(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("7")], on=1)
    call_writing(warehouse, start_stream, "night-1", "ideas", night(1))
    call_writing(warehouse, finish_stream, "night-1", "ideas", night(1), "complete", None)
    numbers = sa.select(sa.literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 69_999))
    waiting = {
        "community": sa.literal(COMMUNITY),
        "table_name": sa.literal("ideas"),
        "record_key": sa.literal('["') + sa.cast(numbers.c.n, sa.Text) + sa.literal('"]'),
        "scope": sa.literal("c1"),
        "reason": sa.literal("score: not a number"),
        "first_seen_at": sa.literal(night(1)),
        "run_id": sa.literal("night-1"),
    }
    with warehouse.engine.begin() as connection:
        connection.execute(sa.insert(REJECTED_RECORDS).from_select(list(waiting), sa.select(*waiting.values())))
    assert call_reading(warehouse, incomplete_streams, ["ideas"], "night-2") == {
        "ideas": "has 69999 rejected records and no earlier rows for them"
    }


def test_a_stream_that_was_not_begun_when_the_run_failed_has_failed_with_it(warehouse: Warehouse) -> None:
    """A later part of the same run must not call the run complete."""
    start = RunStart("night-1", "https://api.example.com/v2", night(1))
    call_writing(warehouse, start_run, start)
    call_writing(warehouse, start_stream, "night-1", "users", night(1))
    call_writing(warehouse, finish_stream, "night-1", "users", night(1), "complete", None)
    with pytest.raises(Unavailable), failure_recorded(warehouse, start, Unavailable, streams=["users", "ideas"]):
        raise Unavailable("the API is down")
    assert call_reading(warehouse, stream_verdicts, "night-1") == {
        "users": ("complete", None, None),
        "ideas": ("failed", "the API is down.", True),
    }
