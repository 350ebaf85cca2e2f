from __future__ import annotations

from ideas_pipeline.warehouse.fields import unknown_values
from ideas_pipeline.warehouse.rejects import RejectedOf, live_and_rejected, stored_rejects
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import idea, load, night, read, reject
from ideas_pipeline_tests.warehouse.calls import call_reading


def test_values_that_nobody_knew_are_counted_by_column(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    rows = [
        idea("1", approval_status="approved", moderation_status="clear"),
        idea("2", approval_status="parked"),
        idea("3", approval_status="parked", moderation_status="frozen"),
        idea("4", status="anything goes here"),
    ]
    load(warehouse, "ideas", rows, on=1)
    assert call_reading(warehouse, unknown_values, ["ideas", "votes"]) == {
        "ideas.moderation_status": {"frozen": 1},
        "ideas.approval_status": {"parked": 2},
    }
    assert call_reading(other_warehouse, unknown_values, ["ideas"]) == {}


def test_a_value_that_is_not_a_word_is_described_by_its_length(warehouse: Warehouse) -> None:
    rows = [idea("1", approval_status="ann@example.com"), idea("2", approval_status="x" * 41)]
    load(warehouse, "ideas", rows, on=1)
    [found] = call_reading(warehouse, unknown_values, ["ideas"]).values()
    assert found == {"(text of 15 characters)": 1, "(text of 41 characters)": 1}


def test_rejects_are_listed_in_the_order_in_which_they_came_and_set_against_the_rows_there_are(
    warehouse: Warehouse,
) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1, rejects=[reject("9")])
    load(warehouse, "ideas", [], on=2, scopes=[read("c1", judged=False)], rejects=[reject("3")])
    found = call_reading(warehouse, stored_rejects)
    assert [(r.key, r.first_seen_at) for r in found] == [('["9"]', night(1)), ('["3"]', night(2))]
    assert call_reading(warehouse, stored_rejects, "votes") == []
    assert call_reading(warehouse, live_and_rejected, ["ideas", "votes"]) == {
        "ideas": RejectedOf(live=2, records=2, values=0)
    }
