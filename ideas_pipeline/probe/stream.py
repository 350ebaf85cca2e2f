"""Compare one stream of the live API with the contract."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import ValidationError

from ideas_pipeline.contract.paging import CursorPaging, NextLinkPaging, PagePaging
from ideas_pipeline.errors import IdeasApiError, NotFound, RequestRefused, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.error_bodies import says_error
from ideas_pipeline.ideas_api.field_map import MISSING, Record, field_map, present, records_in
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.probe.empty_lists import check_empty_lists
from ideas_pipeline.probe.fields import Items, check_fields
from ideas_pipeline.probe.guess import likely_records
from ideas_pipeline.probe.paging import check_paging, differ_in_paging, records_on_page_0
from ideas_pipeline.probe.parents import check_parents
from ideas_pipeline.probe.step import Step, fixed
from ideas_pipeline.probe.target import Target

# The largest number of scopes to request until one of them has a record, and until one of them is there at all.
_MOST_SCOPES = 3
_MOST_UNCOUNTED = 10


def check_stream(
    api: IdeasApi, stream: str, scopes: Sequence[str], uncounted: Collection[str] = ()
) -> tuple[Step, list[Record]]:
    """Compare the first page of a stream with the contract.

    Args:
        api: the client with the contract to compare.
        stream: the stream.
        scopes: its scopes, probably long ones first; ``[""]`` if the stream has a single list.
        uncounted: those whose parents do not say how many records they have.

    Returns:
        What was found, and the records as the fixed contract maps them.
    """
    step = Step(stream)
    records: list[Record] = []
    try:
        records = _compare(step, api, stream, scopes, uncounted)
    except IdeasApiError as error:
        step.fail(error)
    return step, records


def _compare(step: Step, api: IdeasApi, stream: str, scopes: Sequence[str], uncounted: Collection[str]) -> list[Record]:
    is_list = api.contract.streams[stream].reads == "list"
    tried: dict[str, str] = {}
    found: list[tuple[Target, Response, Items]] = []
    # A list without records may be answered 404, and if nothing counts them, the first lists may all be empty.
    most = min(len(scopes), _MOST_UNCOUNTED if uncounted and is_list else _MOST_SCOPES)
    for number, scope in enumerate(scopes[:most], start=1):
        if number > _MOST_SCOPES and len(tried) < number - 1:
            break
        target = Target(api, stream, scope)
        try:
            target, response = _first_response(step, target)
        except NotFound as error:
            tried[scope] = error.message.removeprefix("there is nothing at ")
            if number < most or found:
                continue  # A scope that was listed a moment ago may be deleted, or hidden from this account.
            raise NotFound(
                f"there is nothing at {' or '.join([*tried.values()][:_MOST_SCOPES])}",
                status=error.status,
                hint=f"Correct streams.{stream}.path in the contract: it is {api.contract.streams[stream].path}, below "
                f"{api.base_url}. Or these lists were deleted, or are hidden from this account, or are empty (see "
                "not_found_is_empty in docs/contract.md).",
            ) from None
        target, items = _records(step, target, response)
        api = target.api
        if items:
            found.append((target, response, items))
            if is_list:
                break
    step.confirm(*(f"streams.{stream}.{name}" for name in ("method", "path")))
    if api.contract.streams[stream].each:
        step.confirm(*(f"streams.{stream}.each.{name}" for name in ("of", "placeholder")))
    if not found:
        step.nothing_to_compare()
        return []
    every = [item for _, _, items in found for item in items]
    step.count(records=len(every))
    check_fields(step, api.contract, stream, every)
    if is_list:
        target, response, items = found[0]
        step.first_list = _length(target, response, items)
        check_paging(step, target, response)
        check_parents(step, target, [record for _, record in items], scopes)
        if target.spec.each:
            check_empty_lists(step, target, tried, uncounted)
    return _mapped(step, api, stream, [(target.scope, items) for target, _, items in found])


def _first_response(step: Step, target: Target) -> tuple[Target, Response]:
    """The response for the first page, and the target with a contract that gets one."""
    paging = target.spec.paging
    try:
        response = target.request(step, target.first)
    except RequestRefused as refused:
        return _without_paging(step, target, refused)
    if isinstance(paging, PagePaging) and paging.first == 1 and (why := _hides_records(step, target, response)):
        place = target.place("paging.first")
        step.differ(f"page 1 is empty although {why}: pages are numbered from 0", place=place, to=0)
        target = target.fixed(step.fix)
        response = target.request(step, target.first)
    return target, response


def _without_paging(step: Step, target: Target, refused: RequestRefused) -> tuple[Target, Response]:
    """The response without paging parameters, if the API refuses them. Raises ``refused`` if that fails too."""
    paging = target.spec.paging
    unpaged = {"streams": {target.stream: {"paging": {"style": "none"}}}}
    try:
        without = target.fixed(unpaged)
        response = without.request(step, without.first)
    except (RequestRefused, KeyError):  # KeyError: the path itself contains the page
        raise refused from None
    place, sentence = target.place("paging"), f"the API refuses the paging parameters (HTTP {refused.status})"
    if isinstance(paging, PagePaging) and paging.first == 0:
        step.differ(f"{sentence}: it may number pages from 1", place=f"{place}.first", to=1)
    elif isinstance(paging, CursorPaging | NextLinkPaging):
        sentence = f"{sentence}; for the first page that is the page size alone"
        step.differ(sentence, place=f"{place}.size_parameter", to=None)
    else:
        differ_in_paging(step, place, sentence, response)
    # Even if the right paging is unknown, the records can be compared.
    return target.fixed(step.fix or unpaged), response


def _hides_records(step: Step, target: Target, response: Response) -> str | None:
    """What shows that the list of an empty page 1 has records; None if nothing does."""
    try:
        if target.records(response):
            return None
    except UnexpectedResponse:
        return None
    total = pagination.total_of(target.spec.paging.total, response.body, response.headers)
    if total is None:
        return "page 0 has records" if records_on_page_0(step, target) else None
    return "the total is not 0" if total else None


def _records(step: Step, target: Target, response: Response) -> tuple[Target, Items]:
    """The records of a page, wherever they are in it, and the target with a contract that says so."""
    spec = target.spec
    try:
        items = target.records(response)
        if items and not all(isinstance(record, dict) for _, record in items):
            raise UnexpectedResponse(
                "the list contains no records", hint="Set the stream's records to the path of the list."
            )
    except UnexpectedResponse as error:
        stated = present(response.body, target.contract.error_paths)
        if stated is not MISSING and says_error(stated):
            raise UnexpectedResponse(
                "the response is an error message instead of records",
                status=response.status,
                hint="Check the stream's path and parameters in the contract.",
            ) from None
        path = likely_records(response.body, target.stream, spec)
        if path is None:
            raise error.at(target.stream, "") from None
        where = "the whole body" if path == "@body" else f"at {path}"
        sentence = f"the records are {where}, not at {' or '.join(spec.records)}"
        step.differ(sentence, place=target.place("records"), to=[path])
        target = target.fixed(step.fix)
        return target, records_in(response.body, target.spec.records)
    if items:
        step.confirm(target.place("records"))
    return target, items


def _length(target: Target, response: Response, items: Items) -> int | None:
    """How many records a list has by its first page; None if it has more pages, and no total says how many records."""
    paging = target.spec.paging
    if paging.style == "none" or len(items) < paging.size:
        return len(items)
    try:
        return pagination.total_of(paging.total, response.body, response.headers)
    except UnexpectedResponse:
        return None


def _mapped(step: Step, api: IdeasApi, stream: str, found: Sequence[tuple[str, Items]]) -> list[Record]:
    contract = api.contract
    try:
        contract = fixed(contract, step.fix)
    except ValidationError:
        # Contract lines that do not make a valid contract are not suggested; the sentences stay.
        step.drop_fix()
    mapper = field_map(contract, stream)
    return [mapper(record, key, index, scope) for scope, items in found for index, (key, record) in enumerate(items)]
