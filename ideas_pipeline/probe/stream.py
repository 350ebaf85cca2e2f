"""One stream of the live API against the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.paging import CursorPaging, NextLinkPaging, PagePaging
from ideas_pipeline.errors import IdeasApiError, NotFound, RequestRefused, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import MISSING, Record, field_map, present, records_in
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.probe.fields import Items, check_fields
from ideas_pipeline.probe.guess import likely_records
from ideas_pipeline.probe.paging import check_paging, differ_in_paging
from ideas_pipeline.probe.step import Step, mended

# Of the lists (or records) that could be asked for, so many at most, until one has something in it.
_MOST_SCOPES = 3


def check_stream(api: IdeasApi, stream: str, scopes: Sequence[str]) -> tuple[Step, list[Record]]:
    """What the API's first page of ``stream`` shows, with its records as the mended contract maps them.

    ``scopes``: which lists there are, likely long ones first; ``[""]`` for a stream that has one list only.
    """
    step = Step(stream)
    records: list[Record] = []
    try:
        records = _looked_at(step, api, stream, scopes)
    except IdeasApiError as error:
        step.fail(error)
    return step, records


def _looked_at(step: Step, api: IdeasApi, stream: str, scopes: Sequence[str]) -> list[Record]:
    is_list = api.contract.streams[stream].reads == "list"
    found: list[tuple[str, Items]] = []
    response: Response | None = None
    for number, scope in enumerate(scopes[:_MOST_SCOPES], start=1):
        try:
            api, response = _first_response(step, api, stream, scope)
        except NotFound:
            if number < min(len(scopes), _MOST_SCOPES) or found:
                continue  # What was listed a moment ago may be gone, or hidden from this account.
            raise
        api, items = _records(step, api, stream, response)
        if items:
            found.append((scope, items))
            if is_list:
                break
    spec = api.contract.streams[stream]
    step.confirmed += [f"streams.{stream}.{name}" for name in ("method", "path")]
    if spec.each:
        step.confirmed += [f"streams.{stream}.each.{name}" for name in ("of", "placeholder")]
    if not found or response is None:
        if step.verdict == "agrees":
            step.verdict = "empty"
        step.notes.append("it has no records where it was looked for, so fields could not be compared")
        return []
    every = [item for _, items in found for item in items]
    step.records = len(every)
    check_fields(step, api.contract, stream, every)
    if is_list:
        check_paging(step, api, stream, found[0][0], response)
    return _mapped(step, api, stream, found)


def _first_response(step: Step, api: IdeasApi, stream: str, scope: str) -> tuple[IdeasApi, Response]:
    """The answer for the first page; and the API with a contract that gets one, where ours does not."""
    paging = api.contract.streams[stream].paging
    try:
        response = _ask(step, api, stream, scope)
    except RequestRefused as refused:
        return _without_paging(step, api, stream, scope, refused)
    if isinstance(paging, PagePaging) and paging.first == 1 and _hides_records(api.contract, stream, response):
        place = f"streams.{stream}.paging.first"
        step.differ("page 1 is empty, but its total is not: pages are numbered from 0", place=place, to=0)
        api = _with(api, step.mend)
        response = _ask(step, api, stream, scope)
    return api, response


def _without_paging(
    step: Step, api: IdeasApi, stream: str, scope: str, refused: RequestRefused
) -> tuple[IdeasApi, Response]:
    """The same without paging parameters, if they were what the API did not like."""
    spec = api.contract.streams[stream]
    plain = {"streams": {stream: {"paging": {"style": "none"}}}}
    try:
        response = _ask(step, _with(api, plain), stream, scope)
    except (RequestRefused, KeyError):  # KeyError: the path itself has a page in it
        raise refused from None
    place, sentence = f"streams.{stream}.paging", f"the API refuses the paging parameters (HTTP {refused.status})"
    if isinstance(spec.paging, PagePaging) and spec.paging.first == 0:
        step.differ(f"{sentence}: it may number pages from 1", place=f"{place}.first", to=1)
    elif isinstance(spec.paging, CursorPaging | NextLinkPaging):
        step.differ(f"{sentence}, of which the first page has only the size", place=f"{place}.size_parameter", to=None)
    else:
        differ_in_paging(step, place, sentence, response)
    # Where nobody can tell what its paging is, the records at least are looked at.
    return _with(api, step.mend or plain), response


def _ask(step: Step, api: IdeasApi, stream: str, scope: str) -> Response:
    response = api.request(stream, scope, pagination.first(api.contract.streams[stream].paging)).found()
    step.requests += response.requests
    return response


def _with(api: IdeasApi, mend: dict[str, Any]) -> IdeasApi:
    return IdeasApi(mended(api.contract, mend), api.auth, api.transport, api.state)


def _hides_records(contract: Contract, stream: str, response: Response) -> bool:
    spec = contract.streams[stream]
    try:
        total = pagination.total_of(spec.paging.total, response.body, response.headers)
        return bool(total) and not records_in(response.body, spec.records)
    except UnexpectedResponse:
        return False


def _records(step: Step, api: IdeasApi, stream: str, response: Response) -> tuple[IdeasApi, Items]:
    """The records of a page, from where they are; and the API with a contract that says so."""
    spec = api.contract.streams[stream]
    try:
        items = records_in(response.body, spec.records)
        if items and not all(isinstance(record, dict) for _, record in items):
            raise UnexpectedResponse("the list holds no records", hint="Set the stream's records to where the list is.")
    except UnexpectedResponse as error:
        if present(response.body, api.contract.error_paths) not in (MISSING, None, "", False):
            raise UnexpectedResponse(
                "the API answered with an error instead of records",
                status=response.status,
                hint="Check the stream's path and parameters in the contract.",
            ) from None
        path = likely_records(response.body, stream, spec)
        if path is None:
            raise error.at(stream, "") from None
        where = "the whole body" if path == "@body" else path
        sentence = f"the records are at {where}, not at {' or '.join(spec.records)}"
        step.differ(sentence, place=f"streams.{stream}.records", to=[path])
        api = _with(api, step.mend)
        return api, records_in(response.body, api.contract.streams[stream].records)
    if items:
        step.confirmed.append(f"streams.{stream}.records")
    return api, items


def _mapped(step: Step, api: IdeasApi, stream: str, found: Sequence[tuple[str, Items]]) -> list[Record]:
    try:
        contract = mended(api.contract, step.mend)
    except ValidationError:
        # A suggestion that makes no contract is none; the sentence beside it stays.
        contract, step.mend = api.contract, {}
    mapper = field_map(contract, stream)
    return [mapper(record, key, index, scope) for scope, items in found for index, (key, record) in enumerate(items)]
