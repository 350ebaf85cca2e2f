"""Whether a list comes in pages as the contract says: the next page, the page size, the total, the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ideas_pipeline.contract.model import Stream
from ideas_pipeline.contract.paging import NoPaging, OffsetPaging, PagePaging
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import RequestRefused, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import records_in
from ideas_pipeline.ideas_api.pagination import Position
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.probe.guess import likely_paging, likely_total
from ideas_pipeline.probe.step import Step


@dataclass(frozen=True)
class Page:
    """A page as it came, with the records in it, and what follows."""

    response: Response
    records: list[Json]
    total: int | None
    next: Position | None


def with_paging(api: IdeasApi, stream: str, **changes: Any) -> IdeasApi:
    """The same API, with the stream's paging changed."""
    spec = api.contract.streams[stream]
    paging = spec.paging.model_copy(update=changes)
    streams = api.contract.streams | {stream: spec.model_copy(update={"paging": paging})}
    return IdeasApi(api.contract.model_copy(update={"streams": streams}), api.auth, api.transport, api.state)


def page_of(spec: Stream, position: Position, response: Response) -> Page:
    """Raises UnexpectedResponse."""
    records = [record for _, record in records_in(response.body, spec.records)]
    following = pagination.following(spec.paging, position, len(records), response.body, response.headers, response.url)
    return Page(response, records, pagination.total_of(spec.paging.total, response.body, response.headers), following)


def check_paging(step: Step, api: IdeasApi, stream: str, scope: str, response: Response) -> None:
    """Compare the paging of one list with the contract, and note it in ``step``. ``response``: its first page.

    It asks for two more pages at most. Raises IdeasApiError.
    """
    spec = api.contract.streams[stream]
    place = f"streams.{stream}.paging"
    position = pagination.first(spec.paging)
    page = _first_page(step, spec, place, position, response)
    _check_total(step, spec, place, page)
    if spec.paging.style == "none":
        if page.total is not None and page.total > len(page.records):
            differ_in_paging(step, place, "the list comes in one response, but that holds not all of it", page.response)
        return
    count, sized = len(page.records), _asks_for_a_size(spec)
    is_all = page.next is None or page.total == count
    if is_all:
        if not (sized and count > 1):
            step.notes.append("the list is too short to see a second page")
            return
        # The whole list fits into a page: with pages of half its length there is a second one to look at.
        api, spec, page = _in_halves(step, api, stream, scope, page)
        if page.next is None or len(page.records) == count:
            return
        _check_second_page(step, api, spec, stream, scope, page)
    elif _check_second_page(step, api, spec, stream, scope, page) and sized:
        _check_size(step, spec, place, count)


def differ_in_paging(step: Step, place: str, sentence: str, response: Response) -> None:
    """Note a difference, with the paging that the answer itself speaks of as the way to mend it."""
    likely = likely_paging(response.body, response.headers)
    if likely:
        step.differ(sentence, place=place, to=likely)
    else:
        step.differ(f"{sentence}; see the API's reference for its paging, and set {place}")


def _first_page(step: Step, spec: Stream, place: str, position: Position, response: Response) -> Page:
    try:
        return page_of(spec, position, response)
    except UnexpectedResponse as error:
        records = records_in(response.body, spec.records)
        step.differ(f"{error.message}")
        without = spec.model_copy(update={"paging": spec.paging.model_copy(update={"total": None})})
        likely = likely_total(response.body, response.headers, spec.records[0], len(records))
        if likely:
            step.differ(f"a total stands at {_where(likely)}", place=f"{place}.total", to=likely)
        return replace(page_of(without, position, response), total=len(records))


def _check_total(step: Step, spec: Stream, place: str, page: Page) -> None:
    likely = likely_total(page.response.body, page.response.headers, spec.records[0], len(page.records))
    if page.total is not None:
        step.confirmed.append(f"{place}.total")
    elif spec.paging.total is None:
        if likely:
            step.notes.append(
                f"a total may stand at {_where(likely)}: it would prove a list complete, see paging.total"
            )
    elif likely:
        step.differ(f"the list's total is at {_where(likely)}", place=f"{place}.total", to=likely)
    else:
        what = "the API says nowhere how many records a list has (two readings that agree must prove it complete)"
        step.differ(what, place=f"{place}.total", to=None)


def _where(total: dict[str, str]) -> str:
    return " ".join("header " + name if kind == "header" else name for kind, name in total.items())


def _asks_for_a_size(spec: Stream) -> bool:
    return bool(getattr(spec.paging, "size_parameter", None)) or "{size}" in spec.path


def _check_size(step: Step, spec: Stream, place: str, count: int) -> None:
    """``count``: the records on a page that is not the last one."""
    size = 0 if isinstance(spec.paging, NoPaging) else spec.paging.size
    if count == size:
        step.agrees.append(f"a page holds {count} records, as asked for")
        step.confirmed += [f"{place}.size", f"{place}.size_parameter"]
    else:
        what = f"{size} records a page were asked for and {count} came: the API has a page size of its own"
        step.differ(what, place=f"{place}.size", to=count)


def _is_second_of_two(spec: Stream, page: Page) -> bool:
    """Whether what was asked for as the first page, and has none after it, is just what the second would hold."""
    if not (isinstance(spec.paging, PagePaging) and spec.paging.first == 1 and page.total):
        return False
    return 0 < len(page.records) == page.total - spec.paging.size < spec.paging.size


def _in_halves(step: Step, api: IdeasApi, stream: str, scope: str, page: Page) -> tuple[IdeasApi, Stream, Page]:
    count = len(page.records)
    size = (count + 1) // 2
    api = with_paging(api, stream, size=size)
    spec = api.contract.streams[stream]
    position = pagination.first(spec.paging)
    half = page_of(spec, position, _ask(step, api, stream, scope, position))
    place = f"streams.{stream}.paging"
    if len(half.records) == size:
        step.agrees.append(f"the page size is honoured ({size} of {count} records came when asked for)")
        step.confirmed.append(f"{place}.size_parameter")
    else:
        likely = likely_paging(page.response.body, page.response.headers) or {}
        sentence = f"{size} records a page were asked for and {len(half.records)} came: the page size is not honoured"
        if likely.get("size_parameter"):
            step.differ(sentence, place=f"{place}.size_parameter", to=likely["size_parameter"])
        else:
            step.differ(sentence)
    return api, spec, half


def _check_second_page(step: Step, api: IdeasApi, spec: Stream, stream: str, scope: str, page: Page) -> bool:
    """Whether there is one, such that the first page was a full one."""
    place = f"streams.{stream}.paging"
    first, count = pagination.first(spec.paging), len(page.records)
    if page.next is None:
        return False
    try:
        second = page_of(spec, page.next, _ask(step, api, stream, scope, page.next))
    except RequestRefused as error:
        differ_in_paging(step, place, f"the API refuses to give a second page (HTTP {error.status})", page.response)
        return False
    if second.records and second.records == page.records:
        if first == 0 and isinstance(spec.paging, PagePaging):
            step.differ("pages 0 and 1 are the same: pages are numbered from 1", place=f"{place}.first", to=1)
        else:
            differ_in_paging(step, place, "the second page is the first one again", page.response)
        return False
    if not second.records:
        if _is_second_of_two(spec, page):
            sentence = "page 1 holds what is left after another page: pages are numbered from 0"
            step.differ(sentence, place=f"{place}.first", to=0)
        elif page.total is not None and page.total > count:
            differ_in_paging(step, place, f"the second page is empty, though the total is {page.total}", page.response)
        else:
            step.notes.append("the list is too short to see a second page")
        return False
    step.agrees.append(f"a second page comes, with {len(second.records)} other records")
    names = ("style", "page_parameter", "offset_parameter", "cursor_parameter", "cursor", "next")
    step.confirmed += [f"{place}.{name}" for name in names if hasattr(spec.paging, name)]
    if page.total is not None:
        _check_end(step, api, spec, stream, scope, page, second)
    return True


def _check_end(step: Step, api: IdeasApi, spec: Stream, stream: str, scope: str, page: Page, second: Page) -> None:
    """Whether the last page ends where the total says; for lists whose last page is too far off, nothing."""
    place = f"streams.{stream}.paging"
    count, total = len(page.records), page.total or 0
    pages = -(-total // count)
    last = second
    if pages > 2:
        if not isinstance(spec.paging, PagePaging | OffsetPaging):
            step.notes.append(f"the list has about {pages} pages, which are read one after the other: not to their end")
            return
        position = spec.paging.first + pages - 1 if isinstance(spec.paging, PagePaging) else count * (pages - 1)
        last = page_of(spec, position, _ask(step, api, stream, scope, position))
    expected = total - count * (pages - 1)
    if len(last.records) == expected:
        step.agrees.append(f"the total adds up: {total} records, {expected} of them on the last page")
        if isinstance(spec.paging, PagePaging):
            step.confirmed.append(f"{place}.first")
    elif not last.records and isinstance(spec.paging, PagePaging) and spec.paging.first == 1:
        sentence = f"the last of {pages} pages is empty: pages are numbered from 0"
        step.differ(sentence, place=f"{place}.first", to=0)
    else:
        step.differ(f"the total, {total}, does not add up: the last page holds {len(last.records)}, not {expected}")


def _ask(step: Step, api: IdeasApi, stream: str, scope: str, position: Position) -> Response:
    response = api.request(stream, scope, position).found()
    step.requests += response.requests
    return response
