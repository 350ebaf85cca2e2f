"""Sets and sequences of ids behave as those of Python do, whatever the ids are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.id_set import IdList, IdSet

# Ids that are nearly numbers are others: "07" and "7" are two records.
ID = st.one_of(
    st.integers(0, 40).map(str),
    st.integers(10**8, 2**33).map(str),
    st.sampled_from(["", "07", "00", "-1", "+7", "7 ", "1_0", "٣", "²", "1.0", "9" * 9, "9" * 10, "4294967296"]),
    st.text(max_size=3),
)
IDS = st.lists(ID, max_size=30)


@given(IDS, ID)
def test_it_holds_what_was_added_and_nothing_else(ids: list[str], other: str) -> None:
    made = IdSet(ids)
    assert set(made) == set(ids)
    assert (len(made), bool(made)) == (len(set(ids)), bool(ids))
    assert all(id_ in made for id_ in ids)
    assert (other in made) == (other in ids)
    assert None not in made


@given(IDS, IDS)
def test_two_of_them_compare_and_combine_as_sets_do(one: list[str], other: list[str]) -> None:
    a, b = IdSet(one), IdSet(other)
    assert (a == b) == (set(one) == set(other))
    assert (a <= b) == (set(one) <= set(other))
    assert set(a | b) == set(one) | set(other)
    assert set(a - b) == set(one) - set(other)
    assert a.lacks(other) == set(other) - set(one)
    assert (set(a), set(b)) == (set(one), set(other)), "neither has changed"


@given(IDS, IDS)
def test_it_compares_and_combines_with_other_sets(one: list[str], other: list[str]) -> None:
    a = IdSet(one)
    assert (a == set(other)) == (set(one) == set(other))
    assert (a <= set(other)) == (set(one) <= set(other))
    assert set(a | set(other)) == set(one) | set(other)
    assert set(a - set(other)) == set(one) - set(other)
    assert set(set(other) - a) == set(other) - set(one)


def test_texts_that_several_sets_hold_are_one_object() -> None:
    first, second = ("".join(["idea", "-7"]) for _ in range(2))
    made = IdSet([first])
    assert second is not first
    assert made.shared(second) is first
    assert made.shared("12") == "12"


@given(IDS)
def test_a_sequence_keeps_the_ids_and_their_order(ids: list[str]) -> None:
    made = IdList(ids)
    assert list(made) == ids
    assert [made[n] for n in range(len(made))] == ids
