"""Which responses say of themselves that they are not whole."""

from __future__ import annotations

from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline.ideas_api.pagination import first
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

ROWS = [{"id": 1}, {"id": 2}]
CURSOR = {"style": "cursor", "cursor": "next", "size_parameter": "limit", "size": 100}
FULL_PAGES = {"style": "page", "size_parameter": "limit", "size": 2}


def partial(body: Any, paging: dict[str, Any], records: str = "data", status: int = 200, **headers: str) -> str | None:
    """What the first page says of itself. ``headers``: by name, with ``_`` for ``-``."""
    contract = contract_with({"streams": {"users": {"records": {"!": [records]}, "paging": {"!": paging}}}})
    by_name = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    response = Response(status, by_name, body, "", "https://ideas.example/v2/users", 1, 0.0)
    position = first(contract.streams["users"].paging)
    return PageReader(contract).page("users", "", position, response).partial


@pytest.mark.parametrize("paging", [{"style": "none"}, CURSOR, FULL_PAGES], ids=["one", "cursor", "pages"])
@pytest.mark.parametrize(
    ("around", "name"),
    [
        ({"incomplete_results": True}, "incomplete_results"),
        ({"partial": True}, "partial"),
        ({"isPartial": "true"}, "isPartial"),
        ({"timed_out": True}, "timed_out"),
        ({"meta": {"partial": True}}, "partial"),
        ({"next": "x", "incomplete_results": True}, "incomplete_results"),
    ],
)
def test_a_flag_says_it_on_any_page(around: dict[str, Any], name: str, paging: dict[str, Any]) -> None:
    says = f"the API says that its response is partial ({name})"
    assert partial({"data": ROWS, **around}, paging) == says
    assert partial({"result": {"data": ROWS, **around}}, paging, "result.data") == says
    assert partial({"result": {"data": ROWS, **around}}, paging, "result") == says


@pytest.mark.parametrize(
    ("paging", "body", "is_partial"),
    [
        ({"style": "none"}, {"data": ROWS}, True),
        (CURSOR, {"data": ROWS}, True),
        (CURSOR, {"data": ROWS, "next": "x"}, False),
        (FULL_PAGES, {"data": ROWS[:1]}, True),
        (FULL_PAGES, {"data": ROWS}, False),
    ],
)
def test_truncated_says_it_unless_the_rest_can_be_on_the_next_page(
    paging: dict[str, Any], body: dict[str, Any], is_partial: bool
) -> None:
    assert bool(partial(body | {"is_truncated": True}, paging)) is is_partial


@pytest.mark.parametrize(
    ("paging", "content_range", "is_partial"),
    [
        ({"style": "none"}, "", True),
        ({"style": "none"}, "items 0-1/8", True),
        ({"style": "none"}, "items 0-1/*", True),
        ({"style": "none"}, "items 0-1/2", False),
        (CURSOR, "", True),
        (CURSOR, "items 4-5/6", False),
        (FULL_PAGES, "0-1/8", False),
    ],
)
def test_partial_content_says_it_unless_it_is_one_page_of_several(
    paging: dict[str, Any], content_range: str, is_partial: bool
) -> None:
    headers = {"Content_Range": content_range} if content_range else {}
    assert bool(partial({"data": ROWS}, paging, status=206, **headers)) is is_partial


def test_an_error_beside_the_records_says_it() -> None:
    body = {"data": {"users": ROWS}, "errors": [{"message": "shard 2 timed out"}]}
    assert partial(body, CURSOR, "data.users") == "the response states an error beside its records"


@pytest.mark.parametrize(
    ("body", "records"),
    [
        ({"data": ROWS, "incomplete_results": False, "partial": None, "timed_out": "no", "errors": []}, "data"),
        ({"data": ROWS, "error": {"code": 0, "message": "ok"}}, "data"),
        ([{"id": 1, "partial": True}], "@body"),
        ({"id": 1, "partial": True, "error": "mine"}, "@body"),
        ({"data": {"1": {"partial": True, "error": "mine"}}}, "data"),
    ],
)
def test_what_a_record_says_and_what_says_no_is_not_taken_for_it(body: Any, records: str) -> None:
    assert partial(body, {"style": "none"}, records) is None
