"""Compare the paging of a list with the contract: the next page, the page size, the total, the end."""

from __future__ import annotations

from dataclasses import replace

from ideas_pipeline.contract.paging import NoPaging, OffsetPaging, PagePaging
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import AccessDenied, IdeasApiError, Unavailable
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.probe.guess import likely_paging, likely_total
from ideas_pipeline.probe.step import Step
from ideas_pipeline.probe.target import Page, Target


def check_paging(step: Step, target: Target, response: Response) -> None:
    """Compare the paging of one list with the contract, with at most four more requests.

    Args:
        step: gets what is found.
        target: the list.
        response: its first page.

    Raises:
        IdeasApiError: a request failed.
    """
    spec = target.spec
    page = target.page(target.first, response)
    _check_total(step, target, page)
    if spec.paging.style == "none":
        if page.total is not None and page.total > len(page.records):
            sentence = "the contract expects the list in one response, but the response contains only a part of it"
            differ_in_paging(step, target.place("paging"), sentence, page.response)
        return
    before = records_on_page_0(step, target) if page.total is None else []
    if before and not any(record in page.records for record in before):
        step.differ("page 0 has other records: pages are numbered from 0", place=target.place("paging.first"), to=0)
        return
    count, sized = len(page.records), _requests_a_size(target)
    is_all = page.next is None or page.total == count
    if is_all:
        if not (sized and count > 1):
            step.note("the list is too short for a second page")
            return
        # The whole list fits into one page. With half the page size there is a second page to look at.
        target, page = _with_half_pages(step, target, page)
        if page.next is None or len(page.records) == count:
            return
        _check_second_page(step, target, page)
    elif _check_second_page(step, target, page) and sized:
        _check_size(step, target, count)


def records_on_page_0(step: Step, target: Target) -> list[Json]:
    """The records on page 0 of a list whose pages the contract numbers from 1.

    Nothing else shows that they are numbered from 0, if no total does: the first page is missing, and the others agree.
    None if the API refuses page 0. If it fails to serve that page, it is not asked again.
    """
    paging = target.spec.paging
    if not (isinstance(paging, PagePaging) and paging.first == 1):
        return []
    once = replace(target, api=target.api.trying_once())
    try:
        return once.page(0, once.request(step, 0)).records
    except IdeasApiError:
        return []


def differ_in_paging(step: Step, place: str, sentence: str, response: Response) -> None:
    """Note a difference, with the paging that the response itself suggests as its fix.

    Args:
        step: gets the difference.
        place: the dotted place of the paging in the contract.
        sentence: what differs.
        response: a page of the list.
    """
    likely = likely_paging(response.body, response.headers)
    if likely:
        step.differ(sentence, place=place, to=likely)
    else:
        step.differ(f"{sentence}; look up the paging in the API's reference, and set {place}")


def _check_total(step: Step, target: Target, page: Page) -> None:
    spec, place = target.spec, target.place("paging.total")
    likely = likely_total(page.response.body, page.response.headers, spec.records[0], len(page.records))
    sent = pagination.reported_total(spec.paging.total, page.response.body, page.response.headers)
    if page.total is not None:
        step.confirm(place)
    elif sent is not None:
        kind = {str: "text", list: "a list", dict: "a map", bool: "true or false"}.get(type(sent), "no count")
        step.differ(f"the total that the API sends is not a number but {kind}", place=place, to=likely)
    elif spec.paging.total is None:
        if likely:
            step.note(f"the total may be at {_where(likely)}: it would prove a list complete, see paging.total")
    elif likely:
        step.differ(f"the list's total is at {_where(likely)}", place=place, to=likely)
    else:
        sentence = "the API reports no total (without one, a list is complete only after two sweeps that agree)"
        step.differ(sentence, place=place, to=None)


def _where(total: dict[str, str]) -> str:
    return " ".join("header " + name if kind == "header" else name for kind, name in total.items())


def _requests_a_size(target: Target) -> bool:
    return bool(getattr(target.spec.paging, "size_parameter", None)) or "{size}" in target.spec.path


def _check_size(step: Step, target: Target, count: int) -> None:
    """``count``: the number of records on a page that is not the last one."""
    paging = target.spec.paging
    size = 0 if isinstance(paging, NoPaging) else paging.size
    if count == size:
        step.agree(f"a page has {count} records, as requested")
        step.confirm(target.place("paging.size"), target.place("paging.size_parameter"))
    else:
        sentence = f"{size} records per page were requested, but {count} came: the API has its own page size"
        step.differ(sentence, place=target.place("paging.size"), to=count)


def _is_second_of_two(target: Target, page: Page) -> bool:
    """Whether the page that was requested as the first one contains exactly what the second one should."""
    paging = target.spec.paging
    if not (isinstance(paging, PagePaging) and paging.first == 1 and page.total):
        return False
    return 0 < len(page.records) == page.total - paging.size < paging.size


def _with_half_pages(step: Step, target: Target, page: Page) -> tuple[Target, Page]:
    count = len(page.records)
    size = (count + 1) // 2
    target = target.with_paging(size=size)
    half = target.page(target.first, target.request(step, target.first))
    place = target.place("paging.size_parameter")
    if len(half.records) == size:
        step.agree(f"the API respects the page size ({size} of {count} records came when requested)")
        step.confirm(place)
    else:
        likely = likely_paging(page.response.body, page.response.headers) or {}
        sentence = f"the API ignores the page size: {size} records were requested, but {len(half.records)} came"
        if likely.get("size_parameter"):
            step.differ(sentence, place=place, to=likely["size_parameter"])
        else:
            step.differ(sentence)
    return target, half


def _check_second_page(step: Step, target: Target, page: Page) -> bool:
    """Whether there is a second page, so that the first one was full."""
    place = target.place("paging")
    paging = target.spec.paging
    if page.next is None:
        return False
    try:
        response = target.request(step, page.next)
    except (AccessDenied, Unavailable) as error:
        if error.status not in (403, 500) or not _is_surely_all(target, page):
            raise
        sentence = (
            f"the API answers the page after the last one with HTTP {error.status}, so no list ends; make sure that "
            f"these {len(page.records)} records are all"
        )
        step.differ(sentence, place=f"{place}.beyond", to=[error.status])
        return False
    second = target.page(page.next, response)
    if response.status in pagination.BEYOND_THE_END and _has_more(target, page, response.status):
        differ_in_paging(step, place, f"the API refuses the second page (HTTP {response.status})", page.response)
        return False
    if second.records and second.records == page.records:
        if target.first == 0 and isinstance(paging, PagePaging):
            step.differ("pages 0 and 1 are the same: pages are numbered from 1", place=f"{place}.first", to=1)
        else:
            differ_in_paging(step, place, "the second page is the same as the first", page.response)
        return False
    if not second.records:
        if _is_second_of_two(target, page):
            sentence = "page 1 has only the records that follow a full page: pages are numbered from 0"
            step.differ(sentence, place=f"{place}.first", to=0)
        elif page.total is not None and page.total > len(page.records):
            sentence = f"the second page is empty although the total is {page.total}"
            differ_in_paging(step, place, sentence, page.response)
        else:
            step.note("the list is too short for a second page")
            if response.status in pagination.BEYOND_THE_END:
                step.agree(f"a page beyond the end is refused (HTTP {response.status}), and ends the list")
        return False
    step.agree(f"the second page has {len(second.records)} other records")
    names = ("style", "page_parameter", "offset_parameter", "cursor_parameter", "cursor", "next")
    step.confirm(*(f"{place}.{name}" for name in names if hasattr(paging, name)))
    if page.total is not None:
        _check_end(step, target, page, second)
    return True


def _is_surely_all(target: Target, page: Page) -> bool:
    """Whether a page has all records: as many as the total, or fewer than asked for and than an API would allow."""
    count, paging = len(page.records), target.spec.paging
    if not isinstance(paging, PagePaging | OffsetPaging):
        return False
    if page.total is not None:
        return page.total == count
    return count < paging.size and not pagination.is_usual_limit(count)


def _check_end(step: Step, target: Target, page: Page, second: Page) -> None:
    """Check that the last page ends where the total says, unless it can only be reached page by page."""
    paging, place = target.spec.paging, target.place("paging.first")
    count, total = len(page.records), page.total or 0
    pages = -(-total // count)
    last = second
    if pages > 2:
        if not isinstance(paging, PagePaging | OffsetPaging):
            step.note(f"the list has about {pages} pages, each of which names the next: its end was not read")
            return
        position = paging.first + pages - 1 if isinstance(paging, PagePaging) else count * (pages - 1)
        last = target.page(position, target.request(step, position))
    expected = total - count * (pages - 1)
    if len(last.records) == expected == count and last.next is not None:
        beyond = target.page(last.next, target.request(step, last.next))
        if new := sum(record not in last.records for record in beyond.records):
            sentence = f"the total, {total}, is a cap or an estimate: {new} more records are on the page that follows"
            step.differ(sentence, place=target.place("paging.total"), to=None)
            return
    if len(last.records) == expected:
        step.agree(f"the total is right: {total} records, {expected} of them on the last page")
        if isinstance(paging, PagePaging):
            step.confirm(place)
    elif not last.records and isinstance(paging, PagePaging) and paging.first == 1:
        step.differ(f"the last of {pages} pages is empty: pages are numbered from 0", place=place, to=0)
    else:
        step.differ(
            f"the total is wrong: {total}, but the last page has {len(last.records)} records, not {expected}",
            place=target.place("paging.total"),
            to=None,
        )


def _has_more(target: Target, page: Page, status: int) -> bool:
    """Whether the refusal of the second page cannot be the end of the list.

    A page number that is out of range is refused with any of several statuses; a parameter that the API does not know,
    with 400 or 422. A first page that is not full is the end in any case.
    """
    if page.total is not None:
        return page.total > len(page.records)
    return status in (400, 422) and len(page.records) >= getattr(target.spec.paging, "size", 1)
