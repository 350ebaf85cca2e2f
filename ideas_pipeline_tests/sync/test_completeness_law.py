"""The law of reading: whatever happens to a list between the page reads, it is proven, or it is called incomplete."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline_tests.sync.moving_list import TOTAL, MovingList, read, styles

_PLACE = st.integers(0, 20)
_KEEPS_ORDER = st.one_of(
    st.tuples(st.just("swap"), _PLACE, _PLACE),
    st.tuples(st.just("insert"), _PLACE),
    st.tuples(st.just("delete"), _PLACE),
)
_CHANGE = st.one_of(_KEEPS_ORDER, st.tuples(st.just("move"), _PLACE, _PLACE))


def _story(change: st.SearchStrategy[tuple[object, ...]]) -> st.SearchStrategy[list[list[tuple[object, ...]]]]:
    """What happens before each page read: nothing, something, or a good deal, for as long as the reading may take."""
    return st.lists(st.lists(change, max_size=2), min_size=12, max_size=30)


_NUMBERED = ["page from 1", "page from 0", "offset"]


def _apply(moving: MovingList, change: tuple[object, ...]) -> None:
    match change:
        case ("insert", int(at)):
            moving.insert(at)
        case ("delete", int(at)):
            moving.delete(at)
        case ("move", int(start), int(end)):
            moving.move(start, end)
        case ("swap", int(gone), int(new)):
            moving.delete(gone)
            moving.insert(new)


@settings(max_examples=600)
@given(
    size=st.integers(0, 24),
    style=st.sampled_from(_NUMBERED),
    totals=st.booleans(),
    ignores_size=st.booleans(),
    story=_story(_KEEPS_ORDER),
    order=st.lists(st.integers(0, 10), min_size=12, max_size=40),
    known=st.sampled_from(["nothing", "all", "all and one that is gone"]),
)
def test_a_complete_list_of_numbered_pages_holds_every_row_that_was_there_throughout(
    size: int,
    style: str,
    totals: bool,
    ignores_size: bool,
    story: list[list[tuple[object, ...]]],
    order: list[int],
    known: str,
) -> None:
    """Rows keep their order: that is what the proof by overlap rests on."""
    paging = styles(TOTAL if totals else None)[style]
    moving = MovingList([f"r{n}" for n in range(size)], paging, totals=totals, ignores_size=ignores_size)
    _check_law(moving, story, order, known)


@settings(max_examples=400)
@given(
    size=st.integers(0, 14),
    style=st.sampled_from([style for style in styles(TOTAL) if style not in _NUMBERED]),
    totals=st.booleans(),
    story=_story(_CHANGE),
    order=st.lists(st.integers(0, 10), min_size=12, max_size=40),
    known=st.sampled_from(["nothing", "all", "all and one that is gone"]),
)
def test_a_complete_list_of_linked_pages_holds_every_row_that_was_there_throughout(
    size: int, style: str, totals: bool, story: list[list[tuple[object, ...]]], order: list[int], known: str
) -> None:
    paging = styles(TOTAL if totals else None)[style]
    _check_law(MovingList([f"r{n}" for n in range(size)], paging, totals=totals), story, order, known)


def _check_law(moving: MovingList, story: list[list[tuple[object, ...]]], order: list[int], known: str) -> None:
    known_ids = {"nothing": set(), "all": set(moving.ids), "all and one that is gone": {*moving.ids, "gone"}}[known]
    reading = SweptScope("s", moving.paging, sweeps=5, known=lambda: known_ids)
    ever: set[str] = set(moving.ids)
    events, picks = iter(story), iter(order)

    def between(m: MovingList) -> None:
        for change in next(events, []):
            _apply(m, change)
        ever.update(m.ids)

    moving.watch()
    brought = [r.columns["id"] for r in read(moving, reading, between=between, pick=lambda _: next(picks, 0))]

    assert len(brought) == len(set(brought)), "a record is handed on once"
    assert set(brought) <= ever, "nothing is made up"
    if reading.verdict == "complete":
        assert moving.lived <= reading.ids, "a row that lived through the reading is in it"
        assert "gone" not in reading.ids
    else:
        assert reading.reason, "an incomplete reading says why"


@settings(max_examples=200)
@given(size=st.integers(0, 14), style=st.sampled_from(list(styles(TOTAL))), totals=st.booleans())
def test_a_quiet_list_is_always_proven_in_two_sweeps_at_most(size: int, style: str, totals: bool) -> None:
    paging = styles(TOTAL if totals else None)[style]
    moving = MovingList([f"r{n}" for n in range(size)], paging, totals=totals)
    reading = SweptScope("s", paging, sweeps=5)
    read(moving, reading)
    assert reading.verdict == "complete"
    assert reading.ids == set(moving.ids)
    assert reading.sweeps <= 2
