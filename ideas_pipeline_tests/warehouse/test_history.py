"""What ideas have been can be asked for any moment, and is exactly what was observed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.tables import history
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.absences import confirm_absences
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.database import writing
from ideas_pipeline.warehouse.load import load as load_in
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, batch, held, idea, label, load, load_batch, night, read
from ideas_pipeline_tests.warehouse.calls import call_writing

Labels = Mapping[str, Mapping[str, str]]


def see(warehouse: Warehouse, on: int, *ideas: Mapping[str, Any], labels: Labels | None = None) -> None:
    """Loads what a night saw of ideas. ``labels``: idea → label → name, for each idea whose labels were sent."""
    parts = [label(id_, one, name=name) for id_, ones in (labels or {}).items() for one, name in ones.items()]
    loaded = batch("ideas", ideas, on, embedded={"idea_labels": parts}, stated={"idea_labels": list(labels or {})})
    load_batch(warehouse, loaded)


def miss(warehouse: Warehouse, on: int, *ids: str) -> None:
    """A night that proves ideas to be gone; others that were there are not looked at."""
    scopes = [read("c1"), read("c2")]
    load_batch(warehouse, batch("ideas", [], on, scopes))
    call_writing(warehouse, confirm_absences, "ideas", ids, ["idea_labels"], Deletion(f"night-{on}", night(on), "gone"))


def past(warehouse: Warehouse, attribute: str, id_: str = "1") -> list[tuple[str, datetime, datetime | None]]:
    """The intervals of an idea's attribute: value, from, to."""
    rows = [r for r in held(warehouse, IDEA_HISTORY) if (r["idea_id"], r["attribute"]) == (id_, attribute)]
    rows.sort(key=lambda row: (row["observed_from"], row["value"]))
    return [(row["value"], row["observed_from"], row["observed_to"]) for row in rows]


def censored(warehouse: Warehouse) -> list[tuple[str, str, bool]]:
    rows = held(warehouse, IDEA_HISTORY)
    return [(row["attribute"], row["value"], row["is_left_censored"]) for row in rows]


def test_the_first_night_keeps_every_attribute_as_left_censored(warehouse: Warehouse) -> None:
    stages = [{"challenge_id": "c1", "id": "s1", "name": "Review", "_scope": ""}]
    challenge = {"id": "c1", "title": "Less waste", "_scope": ""}
    load(warehouse, "challenges", [challenge], on=1, embedded={"challenge_stages": stages})
    values = {"stage_id": "s1", "status": "open", "moderation_status": "clear", "approval_status": "pending"}
    see(warehouse, 2, idea("1", **values, updated_at=night(1)), labels={"1": {"l1": "Hot"}})
    rows = held(warehouse, IDEA_HISTORY)
    assert [(row["attribute"], row["value"], row["challenge_id"], row["name"]) for row in rows] == [
        ("approval", "pending", None, None),
        ("challenge", "c1", None, "Less waste"),
        ("label", "l1", None, "Hot"),
        ("moderation", "clear", None, None),
        ("stage", "s1", "c1", "Review"),
        ("status", "open", None, None),
    ]
    for row in rows:
        assert (row["observed_from"], row["observed_to"], row["source_at"]) == (night(2), None, night(1))
        assert row["is_left_censored"]
        assert row["_run_id"] == "night-2"


def test_a_change_ends_one_interval_and_begins_the_next(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", status="new"), idea("2", status="new"))
    see(warehouse, 2, idea("1", status="review", updated_at=night(1)), idea("2", status="new"))
    assert past(warehouse, "status") == [("new", night(1), night(2)), ("review", night(2), None)]
    assert past(warehouse, "status", "2") == [("new", night(1), None)]
    [over, begun] = [r for r in held(warehouse, IDEA_HISTORY) if (r["idea_id"], r["attribute"]) == ("1", "status")]
    assert (over["is_left_censored"], over["source_at"], over["_run_id"]) == (True, None, "night-2")
    assert (begun["is_left_censored"], begun["source_at"], begun["_run_id"]) == (False, night(1), "night-2")


def test_returning_to_a_value_is_an_interval_of_its_own(warehouse: Warehouse) -> None:
    for on, stage in enumerate(["s1", "s2", "s1"], 1):
        see(warehouse, on, idea("1", stage_id=stage))
    assert past(warehouse, "stage") == [
        ("s1", night(1), night(2)),
        ("s2", night(2), night(3)),
        ("s1", night(3), None),
    ]


def test_a_value_that_comes_later_is_not_left_censored(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", challenge_id=None))
    assert held(warehouse, IDEA_HISTORY) == []
    see(warehouse, 2, idea("1", challenge_id=None), idea("2"))
    see(warehouse, 3, idea("1", challenge_id=None, status="new"), idea("2"))
    assert censored(warehouse) == [("status", "new", False), ("challenge", "c1", True)]


def test_a_missing_value_gets_no_row(warehouse: Warehouse) -> None:
    for on, approval in enumerate(["pending", None, "approved"], 1):
        see(warehouse, on, idea("1", approval_status=approval))
    assert past(warehouse, "approval") == [("pending", night(1), night(2)), ("approved", night(3), None)]


def test_each_label_has_intervals_of_its_own(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1"), labels={"1": {"l1": "Hot"}})
    see(warehouse, 2, idea("1"), labels={"1": {"l1": "Hot", "l2": "Adopted"}})
    see(warehouse, 3, idea("1"), labels={"1": {"l2": "Adopted"}})
    see(warehouse, 4, idea("1"), labels={"1": {"l1": "Hot", "l2": "Adopted"}})
    assert past(warehouse, "label") == [
        ("l1", night(1), night(3)),
        ("l2", night(2), None),
        ("l1", night(4), None),
    ]
    assert [row["is_left_censored"] for row in held(warehouse, IDEA_HISTORY)] == [True, True, False, False]


def test_labels_that_were_not_sent_are_still_there(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1"), labels={"1": {"l1": "Hot"}})
    see(warehouse, 2, idea("1", title="Edited"), labels={})
    assert past(warehouse, "label") == [("l1", night(1), None)]


def test_a_rename_begins_no_interval_and_each_keeps_the_name_of_its_time(warehouse: Warehouse) -> None:
    for on, (name, ones) in enumerate([("Review", ["l1"]), ("Jury", ["l1"]), ("Jury", []), ("Jury", ["l1"])], 1):
        stages = [{"challenge_id": "c1", "id": "s1", "name": name, "_scope": ""}]
        challenge = {"id": "c1", "title": f"{name} first", "_scope": ""}
        load(warehouse, "challenges", [challenge], on=on, embedded={"challenge_stages": stages})
        see(warehouse, on, idea("1", stage_id="s1"), labels={"1": dict.fromkeys(ones, f"{name} wanted")})
    assert [(row["attribute"], row["name"], row["observed_from"]) for row in held(warehouse, IDEA_HISTORY)] == [
        ("challenge", "Review first", night(1)),
        ("label", "Review wanted", night(1)),
        ("label", "Jury wanted", night(4)),
        ("stage", "Review", night(1)),
    ]


def test_a_stage_of_the_same_id_in_another_challenge_is_another_stage(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", "c1", stage_id="0"))
    see(warehouse, 2, idea("1", "c2", stage_id="0"))
    assert past(warehouse, "challenge") == [("c1", night(1), night(2)), ("c2", night(2), None)]
    assert past(warehouse, "stage") == [("0", night(1), night(2)), ("0", night(2), None)]
    stages = [row for row in held(warehouse, IDEA_HISTORY) if row["attribute"] == "stage"]
    assert [row["challenge_id"] for row in stages] == ["c1", "c2"]


def test_a_deleted_idea_ends_and_a_revived_one_begins_again(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1"), idea("2"), labels={"1": {"l1": "Hot"}})
    miss(warehouse, 2, "1")
    assert past(warehouse, "challenge") == [("c1", night(1), night(2))]
    assert past(warehouse, "label") == [("l1", night(1), night(2))]
    assert past(warehouse, "challenge", "2") == [("c1", night(1), None)]
    see(warehouse, 4, idea("1"), labels={"1": {"l1": "Hot"}})
    assert past(warehouse, "challenge") == [("c1", night(1), night(2)), ("c1", night(4), None)]
    assert past(warehouse, "label") == [("l1", night(1), night(2)), ("l1", night(4), None)]
    assert [row["is_left_censored"] for row in held(warehouse, IDEA_HISTORY)] == [True, False, True, False, True]


def test_a_night_without_such_a_change_writes_no_row(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", status="new"), labels={"1": {"l1": "Hot"}})
    before = held(warehouse, IDEA_HISTORY)
    see(warehouse, 2, idea("1", status="new"), labels={"1": {"l1": "Hot"}})
    see(warehouse, 3, idea("1", status="new", title="Edited", vote_count=7), labels={"1": {"l1": "Hotter"}})
    assert held(warehouse, IDEA_HISTORY) == before


def test_a_load_that_is_rolled_back_leaves_no_history(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", status="new"))
    before = held(warehouse, IDEA_HISTORY)
    with pytest.raises(KeyError, match="after the load"):
        _load_and_fail(warehouse, batch("ideas", [idea("1", status="review"), idea("2")], 2))
    assert held(warehouse, IDEA_HISTORY) == before
    see(warehouse, 2, idea("1", status="review"))
    assert past(warehouse, "status") == [("new", night(1), night(2)), ("review", night(2), None)]


def _load_and_fail(warehouse: Warehouse, changed: Batch) -> None:
    with warehouse.writing() as tx:
        load_in(tx, changed)
        raise KeyError("after the load")


def test_where_the_clock_was_set_back_what_was_seen_later_is_later(warehouse: Warehouse) -> None:
    see(warehouse, 3, idea("1", status="new"), idea("2", status="new"))
    see(warehouse, 2, idea("1", status="review"), idea("2", status="new"), idea("3", status="new"))
    then = night(3) + timedelta(microseconds=1)
    assert past(warehouse, "status") == [("new", night(3), then), ("review", then, None)]
    assert past(warehouse, "status", "3") == [("new", night(2), None)]
    see(warehouse, 4, idea("1", status="new"))
    assert past(warehouse, "status")[1:] == [("review", then, night(4)), ("new", night(4), None)]


def test_the_ideas_of_a_warehouse_that_kept_no_history_are_recorded_with_the_first_load(warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", status="new"), idea("2"), labels={"1": {"l1": "Hot"}})
    miss(warehouse, 1, "2")
    with writing(warehouse.engine) as connection:
        connection.execute(sa.delete(IDEA_HISTORY))
    see(warehouse, 5, idea("3", "c2"))
    assert past(warehouse, "status") == [("new", night(5), None)]
    assert past(warehouse, "label") == [("l1", night(5), None)]
    assert past(warehouse, "challenge", "2") == []
    assert past(warehouse, "challenge", "3") == [("c2", night(5), None)]
    assert all(row["is_left_censored"] for row in held(warehouse, IDEA_HISTORY))


def test_communities_do_not_touch_each_other(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    see(warehouse, 1, idea("1", status="new"), labels={"1": {"l1": "Hot"}})
    before = held(warehouse, IDEA_HISTORY)
    see(other_warehouse, 1, idea("1", status="other"), labels={"1": {}})
    miss(other_warehouse, 2, "1")
    rows = held(warehouse, IDEA_HISTORY)
    assert [row for row in rows if row["community"] == COMMUNITY] == before
    assert {row["observed_to"] for row in rows if row["community"] == "other"} == {night(2)}


def test_the_questions_in_the_documentation_are_answered(warehouse: Warehouse) -> None:
    [status, on_postgresql, on_sqlite] = re.findall(r"::\n\n((?:    .+\n)+)", history.__doc__ or "")
    named = [
        {"challenge_id": "c1", "id": id_, "name": name, "_scope": ""} for id_, name in [("1", "Review"), ("2", "Vote")]
    ]
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=1, embedded={"challenge_stages": named})
    for on, stage, state in [(1, "1", "new"), (3, "2", "voted"), (4, "1", "open"), (9, "2", "done")]:
        see(warehouse, on, idea("7", status=state, stage_id=stage))
    with warehouse.engine.begin() as connection:
        days = on_sqlite
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TIME ZONE 'UTC'")
            days = on_postgresql
        [row] = connection.exec_driver_sql(status.replace("2026-03", "2026-01"))
        assert (row.value, bool(row.is_left_censored)) == ("voted", False)
        assert float(connection.exec_driver_sql(days).scalar() or 0) == pytest.approx(2 + 5)
