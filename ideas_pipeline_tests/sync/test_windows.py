from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.sync.windows import Order

_VALUES = st.integers(0, 3) | st.sampled_from(["a", "b", "c"]) | st.none() | st.booleans() | st.just(0.5)
_SORTED = st.lists(st.integers(0, 9), max_size=5).map(sorted)
_WINDOWS = st.lists(st.lists(_VALUES, max_size=4), max_size=4) | st.lists(_SORTED, max_size=4)


@given(windows=_WINDOWS, reverse=st.booleans())
def test_an_order_is_shown_if_every_window_is_sorted_the_same_way(windows: list[list[Any]], reverse: bool) -> None:
    windows = [window[::-1] if reverse else window for window in windows]
    order = Order()
    for window in windows:
        order.add(window)
    values = [value for window in windows for value in window]
    kinds = {type(value) for value in values}
    comparable = len(kinds) == 1 and kinds <= {int, float, str} and len(set(values)) > 1
    pairs = [pair for window in windows for pair in pairwise(window)] if comparable else []
    one_way = all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)
    assert order.shown == (comparable and one_way)
