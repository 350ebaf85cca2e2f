"""What a page of a later sweep needs of records that came before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.ideas_api.references import KnownRows
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

NESTED = {"streams": {"comments": {"nested": ["replies"]}}}
COMPOSITE = {"streams": {"comments": {"key": ["idea_id", "id"]}}}
CONTRACTS = [contract_with(change) for change in ({}, NESTED, COMPOSITE)]

TIMES = st.sampled_from([None, 0, "2026-01-05T10:00:00Z", "soon", 1_767_607_200])
IDS = st.sampled_from([None, 0, 1, 1.0, "1", "2", "03", 2.5, [], {"a": 1}, "ann@people.example"])
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS,
        "idea_id": st.sampled_from(["7", 8, None]),
        "user": st.fixed_dictionaries({"id": IDS}),
        "created_at": TIMES,
        "updated_at": TIMES,
        "text": st.sampled_from(["first", "second"]),
        "replies": st.just([{"id": "90"}]),
    },
)
RECORDS = st.one_of(
    st.lists(st.one_of(RECORD, st.none(), st.integers())),
    st.dictionaries(st.sampled_from(["1", "2", "9"]), RECORD),
)


def page(contract: Contract, stream: str, body: Any, seen: set[str]) -> Page:
    response = Response(
        status=200,
        headers=CaseInsensitiveDict(),
        body=body,
        text="",
        url="https://ideas.example/v2/list",
        requests=1,
        received_at=0.0,
    )
    return PageReader(contract).page(stream, "7", 1, response, KnownRows({"8"}), seen)


def seen_by_completeness(page: Page) -> list[Any]:
    def outline(columns: dict[str, Any]) -> list[Any]:
        return [columns.get(name) for name in ("id", "created_at", "updated_at")]

    return [[*outline(record.columns), record.state] for record in page.every]


@given(
    contract=st.sampled_from(CONTRACTS),
    stream=st.sampled_from(["comments", "votes"]),
    records=RECORDS,
    seen=st.sets(st.sampled_from(["1", "2", "03", "2.5", "90", '["7","1"]'])),
)
def test_what_proves_a_list_does_not_depend_on_what_was_seen_before(
    contract: Contract, stream: str, records: Any, seen: set[str]
) -> None:
    whole, short = (page(contract, stream, {"data": records}, known) for known in (set[str](), seen))

    assert seen_by_completeness(short) == seen_by_completeness(whole)
    for record, in_full in zip(short.every, whole.every, strict=True):
        assert record == in_full or record.columns["id"] in seen


@pytest.mark.parametrize(("seen", "columns"), [(set[str](), 5), ({"12"}, 3)])
def test_a_record_that_came_before_is_not_mapped_again(seen: set[str], columns: int) -> None:
    record = {"id": 12, "idea_id": 7, "text": "x", "created_at": "2026-01-05", "updated_at": None, "colour": "red"}

    (found,) = page(CONTRACTS[0], "comments", {"data": [record]}, seen).records

    assert (found.columns["id"], len(found.columns), bool(found.extra)) == ("12", columns, not seen)


@pytest.mark.parametrize("body", [{"data": False}, {"success": False, "data": False, "message": "No comments found"}])
def test_false_and_an_error_that_there_are_no_records_are_an_empty_list(body: Any) -> None:
    assert page(contract_with({}), "comments", body, set()).records == []
    with pytest.raises(UnexpectedResponse, match="an error message instead of records"):
        page(contract_with({}), "comments", body | {"success": False, "message": "Access denied"}, set())


def test_a_map_that_no_id_identifies_is_no_record() -> None:
    with pytest.raises(UnexpectedResponse, match="at data or comments or items is a map of list, theme"):
        page(CONTRACTS[0], "comments", {"data": {"list": {"1": {"id": 1}}, "theme": "dark"}}, set())
