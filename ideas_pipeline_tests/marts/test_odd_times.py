"""Times and numbers that cannot be true stay in their rows, and neither break nor bloat a mart or an export."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import MARTS, build_marts
from ideas_pipeline.warehouse.export import export, exportable
from ideas_pipeline.warehouse.quality import Declaration, count_declared
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import held, idea, load, night, read
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

AS_OF = night(20)
TRUE = datetime(2026, 1, 2, 12, tzinfo=UTC)
ODD = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1899, 12, 30, tzinfo=UTC),
    datetime(1970, 1, 1, 0, 33, 44, tzinfo=UTC),
    datetime(2300, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_odd_times_are_left_out_of_the_marts(warehouse: Warehouse, timezone: str, tmp_path: Path) -> None:
    load(warehouse, "challenges", [{"id": "c1", "_scope": "", "starts_at": ODD[0], "deadline_at": ODD[-1]}], on=1)
    times = [TRUE, *ODD]
    people = [{"id": f"p{n}", "_scope": "", "joined_at": at, "last_seen_at": at} for n, at in enumerate(times)]
    load(warehouse, "users", people, on=1, scopes=[read("")])
    ideas = [idea(str(n), created_at=at, published_at=at, updated_at=at) for n, at in enumerate(times)]
    load(warehouse, "ideas", ideas, on=3)
    acts = [{"id": f"a{n}", "idea_id": "0", "_scope": "0", "created_at": at} for n, at in enumerate(times)]
    load(warehouse, "comments", acts, on=4)
    values = [1.0, 1.0, 1e308, 1e308, -1e308, 1e308]
    votes = [act | {"value": value} for act, value in zip(acts, values, strict=True)]
    load(warehouse, "votes", votes, on=5)

    call_writing(warehouse, build_marts, timezone, AS_OF)

    days = held(warehouse, MARTS["mart_daily_activity"].table)
    assert len(days) == 1
    assert days[0]["day"] in (date(2026, 1, 2), date(2026, 1, 3))
    assert sum(row["ideas"] for row in days) == sum(row["comments"] for row in days) == 1
    [challenge] = held(warehouse, MARTS["mart_challenges"].table)
    assert (challenge["starts_at"], challenge["deadline_at"]) == (None, None)
    assert (challenge["ideas"], challenge["comments"], challenge["undated"]) == (len(times), len(times), 3 * len(ODD))
    [of_votes] = held(warehouse, MARTS["mart_challenge_votes"].table)
    assert (of_votes["votes"], of_votes["value_sum"]) == (6, 2.0)
    lives = {row["idea_id"]: row for row in held(warehouse, MARTS["mart_idea_lifecycle"].table)}
    assert [lives[str(n)]["published_at"] for n in range(len(times))] == [TRUE] + [None] * len(ODD)
    assert [lives[str(n)]["submitted_at"] for n in range(len(times))] == [TRUE] + [None] * len(ODD)
    assert [lives[str(n)]["age_seconds"] is None for n in range(len(times))] == [False] + [True] * len(ODD)
    assert {row["created_at"] for row in held(warehouse, "ideas")} == set(times)

    export(warehouse, list(call_reading(warehouse, exportable).values()), tmp_path)
    read_back: list[Any] = pq.read_table(tmp_path / "ideas.parquet")["created_at"].to_pylist()
    assert set(read_back) == set(times)


def test_odd_counts_break_no_sum(warehouse: Warehouse) -> None:
    counts = [2**63 - 1, 2**63 - 1, -5, 1]
    load(warehouse, "ideas", [idea(str(n), vote_count=count) for n, count in enumerate(counts)], on=1)
    found = call_reading(warehouse, count_declared, Declaration("ideas", "vote_count", "votes", "idea_id"))
    assert (found.parents, found.declared) == (1, 1)
    assert isinstance(found.missing, int)
    with warehouse.reading() as tx:
        assert tx.scalar(sa.text("SELECT COUNT(*) FROM ideas")) == len(counts)
