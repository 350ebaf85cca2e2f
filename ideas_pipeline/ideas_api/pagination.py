"""Pagination: the parameters of a page, the position of the next one, and the list's total.

A position says where in a list a page begins: a page number, an offset, a cursor or a link, depending on the style.
``""`` is the first page of a list with cursors or links; ``None`` is the end of the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Bound, Stream
from ideas_pipeline.contract.paging import (
    CursorPaging,
    NextLinkPaging,
    NoPaging,
    OffsetPaging,
    PagePaging,
    Total,
)
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.field_map import MISSING, Record, present

AnyPaging = NoPaging | PagePaging | OffsetPaging | CursorPaging | NextLinkPaging
Position = int | str


@dataclass(frozen=True, slots=True)
class Bounds:
    """A time range: from ``since`` (inclusive) to ``until`` (exclusive), both timezone-aware; None is unbounded."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether the range is unbounded."""
        return self.since is None and self.until is None


ALL = Bounds()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        records: the records by column.
        total: the list's length, if the API tells it.
        next: the position of the next page; None at the end of the list.
        requests: how many requests were sent for it.
        received_at: seconds since 1970, by this machine's clock.
    """

    records: list[Record]
    total: int | None
    next: Position | None
    requests: int
    received_at: float


_NEXT_LINK = re.compile(r'<([^>]*)>[^,]*;\s*rel\s*=\s*"?next"?', re.IGNORECASE)


def first(paging: AnyPaging) -> Position:
    """The position of a list's first page."""
    match paging:
        case PagePaging():
            return paging.first
        case OffsetPaging():
            return 0
        case _:
            return ""


def parameters(paging: AnyPaging, position: Position) -> dict[str, Any]:
    """The parameters that request the page at ``position``. A next link contains its parameters, so it has none."""
    named: dict[str, Any] = {}
    match paging:
        case PagePaging():
            named[paging.page_parameter] = position
        case OffsetPaging():
            named[paging.offset_parameter] = position
        case CursorPaging() if position != "":
            named[paging.cursor_parameter] = position
        case NextLinkPaging() if position != "":
            return {}
        case NoPaging():
            return {}
    if paging.size_parameter:
        named[paging.size_parameter] = paging.size
    return named


def bound_parameters(spec: Stream, bounds: Bounds, timezone: str) -> dict[str, Any]:
    """The parameters that request the records within ``bounds``, as far as the contract has such parameters.

    Args:
        spec: the stream.
        bounds: the time range.
        timezone: the zone of the days, for parameters that take dates: then whole days are requested, which is more
            than the range but never less.
    """
    zone = ZoneInfo(timezone)
    named: dict[str, Any] = {}
    if spec.since and bounds.since:
        named[spec.since.parameter] = _moment(spec.since, bounds.since, _day(bounds.since, zone))
    if spec.until and bounds.until:
        named[spec.until.parameter] = _moment(spec.until, bounds.until, _first_day_after(bounds.until, zone))
    return named


def _moment(bound: Bound, moment: datetime, day: date) -> str | int:
    match bound.format:
        case "epoch":
            return int(moment.timestamp())
        case "date":
            return day.isoformat()
        case _:
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _first_day_after(moment: datetime, zone: ZoneInfo) -> date:
    """The first day that begins at or after ``moment``."""
    local = moment.astimezone(zone)
    return local.date() if local.time() == time.min else local.date() + timedelta(days=1)


def placeholders(paging: AnyPaging, position: Position) -> dict[str, Any]:
    """The values of ``{page}``, ``{offset}``, ``{cursor}`` and ``{size}``, for paging in the URL's path."""
    size = None if isinstance(paging, NoPaging) else paging.size
    return {"page": position, "offset": position, "cursor": position, "size": size}


def following(
    paging: AnyPaging, position: Position, count: int, body: Json, headers: Mapping[str, str], url: str
) -> Position | None:
    """The position of the next page; None at the end of the list.

    Numbered pages and offsets end with an empty page, never with a short one: a server may cap the page size.

    Args:
        paging: the stream's paging.
        position: the position of this page.
        count: the number of records on this page.
        body: this page's JSON.
        headers: this page's headers.
        url: the URL of this page.

    Raises:
        UnexpectedResponse: the next link leads to another host, to which the token must not be sent.
    """
    match paging:
        case PagePaging():
            return int(position) + 1 if count else None
        case OffsetPaging():
            return int(position) + count if count else None
        case CursorPaging():
            cursor = present(body, paging.cursor)
            return None if cursor is MISSING or cursor in (None, "", False) else str(cursor)
        case NextLinkPaging():
            return _next_link(paging, body, headers, url)
        case NoPaging():
            return None


def _next_link(paging: NextLinkPaging, body: Json, headers: Mapping[str, str], url: str) -> str | None:
    if paging.next:
        link = present(body, paging.next)
    else:
        found = _NEXT_LINK.search(headers.get("Link", ""))
        link = found.group(1) if found else None
    if link is MISSING or link in (None, "", False):
        return None
    target = urljoin(url, str(link))
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise UnexpectedResponse(
            f"the next page's link leads to another host, {urlsplit(target).hostname}",
            hint="It was not followed because the access token would go there. Check the region or the base URL.",
        )
    return target


def rest(paging: AnyPaging, count: int, total: int | None) -> list[Position] | None:
    """The positions of all pages after the first one, if they follow from the total; None if each page names the next.

    Args:
        paging: the stream's paging.
        count: the number of records on the first page.
        total: the list's total, if known.
    """
    if total is None or count == 0:
        return None
    match paging:
        case PagePaging():
            return list(range(paging.first + 1, paging.first + -(-total // count)))
        case OffsetPaging():
            return list(range(count, total, count))
        case _:
            return None


def after(paging: AnyPaging, count: int, page_size: int) -> list[Position]:
    """The position of the page after the first ``count`` records; empty if each page names the next.

    Args:
        paging: the stream's paging.
        count: the number of records before the page.
        page_size: the number of records per page.
    """
    match paging:
        case PagePaging():
            return [paging.first + -(-count // page_size)]
        case OffsetPaging():
            return [count]
        case _:
            return []


def total_of(where: Total | None, body: Json, headers: Mapping[str, str]) -> int | None:
    """The list's total as the API reports it, as a number or as text; None if it reports none.

    Args:
        where: the contract's place of the total; None if the API has none.
        body: the JSON of a page.
        headers: the headers of that page.

    Raises:
        UnexpectedResponse: the value is not a number.
    """
    if where is None:
        return None
    value = headers.get(where.header) if where.header else present(body, where.body)
    if value is MISSING or value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        place = f"header {where.header}" if where.header else " or ".join(where.body)
        raise UnexpectedResponse(
            f"the total at {place} is not a number but {type(value).__name__}",
            hint="Correct paging.total in the contract, or set it to null if the API has no total.",
        ) from None
