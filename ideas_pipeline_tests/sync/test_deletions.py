"""Which absent rows are believed to be deleted, and which are held for an operator."""

from __future__ import annotations

import pytest

from ideas_pipeline.sync.deletions import Judgement, judge

DISTRUST = "the account has another role"


def rows(count: int, scope: str = "") -> dict[str, str]:
    """So many absent rows of a scope: id → scope."""
    return {f"{scope}{number:03d}": scope for number in range(count)}


def test_nothing_absent_is_judged_to_be_nothing() -> None:
    assert judge({}, {"parent_gone": {"1"}}, {"": 100}, 10, DISTRUST) == Judgement()


def test_a_few_rows_are_deleted() -> None:
    assert judge(rows(2), {}, {"": 100}, 10, None) == Judgement(deleted={"gone": ["000", "001"]})


@pytest.mark.parametrize(
    ("count", "live", "held"),
    [(19, 20, False), (20, 199, True), (20, 200, False), (21, 200, True), (20, 20, True), (500, 100_000, False)],
)
def test_rows_are_held_if_they_are_twenty_and_more_than_the_percentage(count: int, live: int, held: bool) -> None:
    absent = rows(count)
    found = judge(absent, {}, {"": live}, 10, None)
    assert list(found.deleted) == ([] if held else ["gone"])
    assert [*found.held.values(), *found.deleted.values()] == [sorted(absent)]
    for because in found.held:
        assert because.startswith(f"{count} of {live} rows of the stream are absent at once, more than 10 %")


def test_the_rows_of_one_list_are_held_and_those_of_another_are_deleted() -> None:
    absent = rows(25, "b") | rows(3, "a")
    found = judge(absent, {}, {"a": 30, "b": 40, "c": 900}, 10, None)
    assert found.deleted == {"gone": ["a000", "a001", "a002"]}
    ((because, ids),) = found.held.items()
    assert because.startswith("25 of 40 rows of list b are absent at once")
    assert ids == sorted(rows(25, "b"))


def test_a_reason_does_not_name_a_list_that_is_a_person() -> None:
    absent = rows(25, "ann") | rows(25, "bob")
    found = judge(absent, {}, {"ann": 40, "bob": 40, "c": 900}, 10, None, named=False)
    ((because, ids),) = found.held.items()
    assert because.startswith("25 of 40 rows of a list are absent at once")
    assert ids == sorted(absent)


def test_the_live_rows_of_all_lists_count_for_the_stream() -> None:
    absent = {**rows(10, "a"), **rows(10, "b"), **rows(10, "c")}
    live = dict.fromkeys("abc", 50)
    assert list(judge(absent, {}, live, 10, None).held) == [
        "30 of 150 rows of the stream are absent at once, more than 10 %: "
        "deleted, or hidden from the API's account? None was marked as deleted"
    ]
    assert judge(absent, {}, live | {"d": 150}, 10, None).held == {}


def test_what_something_else_explains_is_deleted_however_much_it_is() -> None:
    absent = rows(40)
    explained = {"parent_gone": {"000", "else"}, "cleared": set(absent) - {"000", "001"}, "other": {"unknown"}}
    found = judge(absent, explained, {"": 40}, 10, None)
    assert found.deleted == {"parent_gone": ["000"], "cleared": sorted(absent)[2:], "gone": ["001"]}
    assert found.held == {}


def test_distrust_holds_what_nothing_explains() -> None:
    found = judge(rows(3), {"parent_gone": {"001"}}, {"": 1_000}, 10, DISTRUST)
    assert found == Judgement(deleted={"parent_gone": ["001"]}, held={DISTRUST: ["000", "002"]})


@pytest.mark.parametrize("count", [2, 8])
def test_an_only_list_that_is_suddenly_empty_is_held_however_short_it_was(count: int) -> None:
    assert judge(rows(count), {}, {"": count}, 10, None).deleted == {}
    assert judge(rows(count - 1), {}, {"": count}, 10, None).held == {}
    assert judge(dict.fromkeys(rows(count), "a"), {}, {"a": count}, 10, None).held == {}


def test_all_lists_of_a_stream_that_are_suddenly_empty_are_held_however_few_rows_they_had() -> None:
    absent = {"001": "a", "002": "a", "003": "b"}
    assert judge(absent, {}, {"a": 2, "b": 1}, 10, None).deleted == {}
    assert judge(absent, {}, {"a": 2, "b": 2}, 10, None).held == {}
    assert judge(absent, {"parent_gone": {"003"}}, {"a": 2, "b": 1}, 10, None).held == {}
