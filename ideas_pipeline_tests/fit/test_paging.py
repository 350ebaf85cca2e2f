"""The paging of lists that are too short to show one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ideas_pipeline.contract.types import Json
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.paging import Found, List, fit_paging, page_of

OFFSET = Found({"style": "offset", "offset_parameter": "start", "size_parameter": "limit"})


def short_list(count: int) -> List:
    """A list with ``count`` records, whatever the parameters."""
    body: dict[str, Any] = {"data": [{"id": n} for n in range(count)], "total": count}

    def get(_: Mapping[str, Json]) -> Exchange:
        return Exchange("the API", "GET", "ideas", status=200, body=body)

    first = page_of(get({}), "data")
    assert first
    return List(get, "data", first)


@pytest.mark.parametrize(("learned", "count"), [(None, 0), (None, 1), (OFFSET, 0)])
def test_a_list_that_does_not_show_its_paging_gets_none(learned: Found | None, count: int) -> None:
    assert fit_paging(short_list(count), learned, []) is None


def test_a_list_of_one_record_has_the_paging_of_the_others() -> None:
    found = fit_paging(short_list(1), OFFSET, ["limit"])
    assert found is not None
    assert found.values == OFFSET.values
    assert set(found.reasons.values()) == {"as in another list: this one is too short to show it"}
