"""``mart_communities``: the row of each community of a warehouse, on every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import refresh_marts
from ideas_pipeline.marts.communities import TABLE
from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS, SYNC_STREAMS
from ideas_pipeline.tables.community import VOTES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts import acme
from ideas_pipeline_tests.warehouse.calls import call_writing

# By hand, from acme.py: votes on 20 March (ben's) and 2 April (nobody's), and before them one on 14 February.
EXPECTED = {
    "last_complete_at": None,
    "people": 4,
    "ideas": 3,
    "comments": 4,
    "votes": 4,
    "contributions_28d": 2,
    "contributions_28d_before": 1,
    "contributions_change": 1.0,
    "active_28d": 1,
    "findings": 0,
    "as_of": acme.AS_OF,
    "timezone": "UTC",
}
COUNTERS = {c.name: 0 for c in SYNC_STREAMS.columns if c.info["kind"] == "integer"}


def rows(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    with warehouse.engine.connect() as connection:
        found = connection.execute(sa.select(TABLE)).mappings().all()
    shown = [{n: utc(v) if isinstance(v, datetime) else v for n, v in row.items()} for row in found]
    return {row.pop("community"): row for row in shown}


def insert(warehouse: Warehouse, table: sa.Table, **values: Any) -> None:
    with warehouse.engine.begin() as connection:
        connection.execute(sa.insert(table), {"community": acme.COMMUNITY, **values})


def ends(warehouse: Warehouse, run: int, stream: str, verdict: str) -> None:
    at = datetime(2026, 4, run, 3, tzinfo=UTC)
    same = {"run_id": str(run), "stream": stream, "started_at": at, "finished_at": at, "verdict": verdict}
    insert(warehouse, SYNC_STREAMS, **COUNTERS, **same)


def test_a_community_has_one_row_with_its_size_and_its_last_28_days(warehouse: Warehouse) -> None:
    acme.fill(warehouse.engine)
    call_writing(warehouse, refresh_marts, "UTC", acme.AS_OF)
    assert rows(warehouse) == {acme.COMMUNITY: EXPECTED}


def test_the_28_days_are_those_of_the_communitys_time_zone_and_move_without_a_change(warehouse: Warehouse) -> None:
    acme.fill(warehouse.engine)
    call_writing(warehouse, refresh_marts, "Pacific/Kiritimati", acme.AS_OF)
    row = rows(warehouse)[acme.COMMUNITY]
    assert (row["contributions_28d"], row["contributions_28d_before"], row["contributions_change"]) == (2, 0, None)
    later = datetime(2026, 4, 29, tzinfo=UTC)
    call_writing(warehouse, refresh_marts, "Pacific/Kiritimati", later)
    row = rows(warehouse)[acme.COMMUNITY]
    assert (row["contributions_28d"], row["contributions_28d_before"], row["active_28d"]) == (1, 1, 0)


@pytest.mark.parametrize("voter", ["cem", "ben"])
def test_an_act_of_tomorrow_makes_nobody_active_and_hides_nobody_who_is(warehouse: Warehouse, voter: str) -> None:
    """Clocks may be ahead by a day. cem's last act before is two months old, ben's three weeks."""
    acme.fill(warehouse.engine)
    tomorrow = acme.AS_OF + timedelta(hours=20)
    vote = {"id": "ahead", "idea_id": "101", "user_id": voter, "created_at": tomorrow}
    insert(warehouse, VOTES, **vote, _first_seen_at=tomorrow, _changed_at=tomorrow, _row_hash="", _run_id="run")
    call_writing(warehouse, refresh_marts, "UTC", acme.AS_OF)
    assert rows(warehouse)[acme.COMMUNITY]["active_28d"] == EXPECTED["active_28d"]


def test_communities_of_one_warehouse_have_a_row_each(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    acme.fill(warehouse.engine)
    call_writing(warehouse, refresh_marts, "UTC", acme.AS_OF)
    call_writing(other_warehouse, refresh_marts, "Asia/Tokyo", acme.AS_OF)
    nothing = dict.fromkeys(EXPECTED, 0) | {"last_complete_at": None, "contributions_change": None}
    other = nothing | {"as_of": acme.AS_OF, "timezone": "Asia/Tokyo"}
    assert rows(warehouse) == {acme.COMMUNITY: EXPECTED, "other": other}


def test_after_an_upgrade_the_first_community_gives_all_of_them_a_row(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    acme.fill(warehouse.engine)
    for one in (warehouse, other_warehouse):
        call_writing(one, refresh_marts, "UTC", acme.AS_OF)
    with warehouse.engine.begin() as connection:
        TABLE.drop(connection)
    call_writing(other_warehouse, refresh_marts, "UTC", acme.AS_OF)
    assert rows(warehouse).keys() == {acme.COMMUNITY, "other"}
    assert rows(warehouse)[acme.COMMUNITY]["votes"] == 4


@pytest.mark.parametrize("last", ["complete", "incomplete"])
def test_it_says_when_all_was_complete_and_counts_what_needs_a_person(warehouse: Warehouse, last: str) -> None:
    for run, stream, verdict in ((1, "ideas", "complete"), (2, "users", "complete"), (3, "users", last)):
        ends(warehouse, run, stream, verdict)
    held = {"stream": "votes", "scope": "1", "run_id": "1", "noticed_at": acme.AS_OF}
    for id_, because in (("1", "too many"), ("2", "too many"), ("3", None)):
        insert(warehouse, ABSENCES, **held, id=id_, held_because=because)
    reject = {"scope": "", "reason": "no number", "first_seen_at": acme.AS_OF, "run_id": "1", "payload": {}}
    for key, table in enumerate(("ideas", "ideas", "users")):
        insert(warehouse, REJECTED_RECORDS, table_name=table, record_key=f'["{key}"]', **reject)
    call_writing(warehouse, refresh_marts, "UTC", acme.AS_OF)
    row = rows(warehouse)[acme.COMMUNITY]
    assert row["last_complete_at"] == datetime(2026, 4, 1, 3, tzinfo=UTC)
    assert row["findings"] == 1 + 2 + (last != "complete")
    ends(warehouse, 4, "comments", "failed")
    call_writing(warehouse, refresh_marts, "UTC", acme.AS_OF)
    assert rows(warehouse)[acme.COMMUNITY]["last_complete_at"] is None
