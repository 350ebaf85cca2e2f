"""Votes without ids, of which two have one made-up key: the newest counts and the other is a reject, in any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync import stream as engine_of_a_stream
from ideas_pipeline.sync.run import now
from ideas_pipeline.tables.community import VOTE_RATINGS
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.rejects import StoredReject, stored_rejects
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import Record, column, read, small_api
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.warehouse.calls import call_reading

Votes = list[Record] | Callable[[str], list[Record]]

LISTS: dict[str, Any] = {"challenges": [{"id": 1}], "challenges/1/ideas": [{"id": 1, "title": "I1"}]}
OLD = {"user_id": 1, "value": 1, "updated_at": "2025-01-01T00:00:00Z", "ratings": [{"id": "c", "rating": 1}]}
NEW = {"user_id": 1, "value": 2, "updated_at": "2025-01-02T00:00:00Z", "ratings": [{"id": "c", "rating": 2}]}
FIRST, SECOND = ({name: vote[name] for name in ("user_id", "value")} for vote in (OLD, NEW))
OTHERS = [{"user_id": n, "value": 0} for n in range(2, 8)]


def votes_of(**changes: Any) -> Contract:
    """Pages of two votes, one after the other."""
    votes = {"key": ["idea_id", "user_id"], "paging": {"size": 2}} | changes
    return contract_with({"streams": {"votes": votes}, "limits": {"concurrency": 1}})


@pytest.fixture
def a_batch_per_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BATCH_RECORDS", "UNFINISHED_RECORDS", "_GROWS"):
        monkeypatch.setattr(engine_of_a_stream, name, 1)


@pytest.fixture(params=["one batch", "a batch per page"])
def in_batches(request: pytest.FixtureRequest) -> None:
    if request.param == "a batch per page":
        request.getfixturevalue("a_batch_per_page")


def rejects(warehouse: Warehouse) -> list[StoredReject]:
    return call_reading(warehouse, stored_rejects, "votes")


def ratings(warehouse: Warehouse) -> list[float]:
    with warehouse.engine.connect() as connection:
        live = sa.select(VOTE_RATINGS.c.rating).where(VOTE_RATINGS.c._deleted_at.is_(None))
        return list(connection.scalars(live))


def reads(folder: Path, warehouse: Warehouse, votes: Votes, contract: Contract | None = None) -> Counts:
    with small_api(LISTS | {"ideas/(1)/votes": votes}) as server:
        result = stream(read(server, warehouse, folder, contract or votes_of()), "votes")
    assert result.verdict == "complete", result.reason
    return result.counts


def numbers(counts: Counts) -> tuple[int, ...]:
    return counts.seen, counts.inserted, counts.updated, counts.unchanged, counts.rejected


@pytest.mark.parametrize("votes", [[OLD, *OTHERS, NEW], [NEW, *OTHERS, OLD]], ids=["oldest first", "newest first"])
def test_the_newest_vote_counts_and_the_other_one_is_a_reject(
    votes: list[Record], in_batches: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    nights = [reads(tmp_path, warehouse, votes) for _ in range(2)]
    assert [(c.seen, c.inserted, c.updated, c.unchanged, c.rejected) for c in nights] == [
        (8, 7, 0, 0, 1),
        (8, 0, 0, 7, 1),
    ]
    assert (column(warehouse, "votes.value")['["1","1"]'], ratings(warehouse)) == (2, [2])
    [reject] = rejects(warehouse)
    assert (reject.reason, reject.payload["value"]) == ("another record of this list has the same key, and is newer", 1)


@on_sqlite
def test_which_of_two_votes_without_times_counts_depends_on_no_order(
    a_batch_per_page: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    nights = [[FIRST, *OTHERS, SECOND], [SECOND, *OTHERS, FIRST], [FIRST, SECOND, *OTHERS]]
    chosen = []
    for night in nights:
        counts = reads(tmp_path, warehouse, night)
        chosen.append(column(warehouse, "votes.value")['["1","1"]'])
        [reject] = rejects(warehouse)
        assert {chosen[-1], reject.payload["value"]} == {1, 2}
        assert reject.reason.endswith("no time says which of them is newer")
    assert len(set(chosen)) == 1
    assert numbers(counts) == (8, 0, 0, 7, 1)


@on_sqlite
def test_a_third_vote_with_the_key_is_compared_with_the_newest_one(
    a_batch_per_page: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    newest = NEW | {"value": 3, "updated_at": "2025-01-03T00:00:00Z"}
    votes = [OLD, *OTHERS[:3], newest, *OTHERS[3:], NEW]
    assert numbers(reads(tmp_path, warehouse, votes)) == (9, 7, 0, 0, 2)
    assert column(warehouse, "votes.value")['["1","1"]'] == 3
    assert {reject.payload["value"] for reject in rejects(warehouse)} == {1, 2}
    assert numbers(reads(tmp_path, warehouse, votes)) == (9, 0, 0, 7, 2)


@on_sqlite
def test_if_the_newest_vote_is_deleted_the_other_one_counts(
    a_batch_per_page: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    reads(tmp_path, warehouse, [OLD, *OTHERS, NEW])
    assert numbers(reads(tmp_path, warehouse, [OLD, *OTHERS])) == (7, 0, 1, 6, 0)
    assert (column(warehouse, "votes.value")['["1","1"]'], rejects(warehouse)) == (1, [])


@on_sqlite
def test_a_vote_that_is_edited_between_two_windows_that_show_it_is_no_reject(
    in_batches: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    offsets = {"style": "offset", "offset_parameter": "offset", "size_parameter": "per_page", "size": 5}
    contract = votes_of(paging={"!": offsets | {"total": {"body": ["total"]}}})
    votes: list[Record] = [{"user_id": n, "value": 0, "updated_at": "2025-01-01T00:00:00Z"} for n in range(9)]
    asked = []

    def edited(idea: str) -> list[Record]:
        asked.append(idea)
        if len(asked) == 2:
            votes[4] = votes[4] | {"value": 1, "updated_at": now().isoformat()}
        return list(votes)

    counts = reads(tmp_path, warehouse, edited, contract)
    assert column(warehouse, "votes.value")['["1","4"]'] == 1
    assert (rejects(warehouse), counts.rejected) == ([], 0)
