"""Ids with characters that no database, no file of lines and no address likes: one form of each, from the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync import stream as engine_of_a_stream
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.tables.community import COMMENTS, TABLES, USERS, VOTES
from ideas_pipeline.warehouse.quality import broken_references
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import paged, stream, sync
from ideas_pipeline_tests.end_to_end.test_absence import deleted
from ideas_pipeline_tests.end_to_end.test_truth import last_written
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 10, "total": {"body": ["total"]}})
# By table, the columns that name its rows.
NAMED_BY = {
    "challenges": {"challenge_id"},
    "users": {"author_id", "user_id"},
    "ideas": {"idea_id"},
    "comments": {"parent_comment_id"},
    "votes": {"vote_id"},
}
NUL, LONE = "\x00", "\ud800"
TOWN = Size(challenges=3, ideas=14, comments=60, votes=80, users=45)
STORED = str.maketrans({NUL: "\ufffd", LONE: "\ufffd"})


@pytest.fixture
def in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is loaded in parts, so that what it holds is compared with what earlier batches loaded."""
    monkeypatch.setattr(engine_of_a_stream, "BATCH_RECORDS", 30)
    monkeypatch.setattr(engine_of_a_stream, "UNFINISHED_RECORDS", 30)


def community(odd: str, *names: str) -> Tables:
    """A community in which ``odd`` stands within every seventh id of the tables ``names``."""
    tables = generate(TOWN, seed=3)
    for name in names:
        new = {key: f"{key[:1]}{odd}{key[1:]}" for key in list(tables[name])[::7]}
        tables[name] = {new.get(key, key): row | {"id": new.get(key, key)} for key, row in tables[name].items()}
        for rows in tables.values():
            for row in rows.values():
                row |= {column: new[row[column]] for column in NAMED_BY[name] & row.keys() if row[column] in new}
    return tables


def stored(tables: Tables) -> Tables:
    """The truth as a warehouse can hold it."""
    return {
        name: {
            key: {column: value.translate(STORED) if isinstance(value, str) else value for column, value in row.items()}
            for key, row in rows.items()
        }
        for name, rows in tables.items()
    }


@pytest.mark.parametrize("odd", [NUL, f"{NUL}\x1f\r\n\x7f{LONE}"], ids=["NUL", "others, too"])
def test_after_the_second_run_nothing_changes(
    odd: str, in_small_batches: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(CONTRACT, community(odd, "users", "comments", "votes")) as simulator:
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, stored(simulator.tables))
        assert call_reading(warehouse, broken_references, list(TABLES)) == []
        written = last_written(warehouse.engine)
        for mode in (Full(), Incremental()):
            again = sync(simulator, warehouse, tmp_path, mode=mode)
            assert (again.verdict, again.changed) == ("complete", False)
        assert last_written(warehouse.engine) == written
        assert all(deleted(warehouse, table) == set() for table in (USERS, COMMENTS, VOTES))


def test_lists_below_an_id_with_a_control_character_are_read(
    in_small_batches: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(CONTRACT, community("\x1f", "challenges", "ideas")) as simulator:
        for _ in range(2):
            result = sync(simulator, warehouse, tmp_path)
            assert result.verdict == "complete", [s.reason for s in result.streams]
        assert not result.changed
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_lists_below_an_id_that_cannot_be_stored_are_called_incomplete_and_nothing_is_called_absent(
    in_small_batches: None, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(CONTRACT, community(NUL, "ideas")) as simulator:
        for _ in range(2):
            result = sync(simulator, warehouse, tmp_path)
            assert (stream(result, "ideas").verdict, stream(result, "comments").verdict) == ("complete", "incomplete")
            assert "there is nothing at" in str(stream(result, "comments").reason)
        assert not result.changed
        assert deleted(warehouse, TABLES["ideas"]) == deleted(warehouse, COMMENTS) == set()
