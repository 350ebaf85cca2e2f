"""Pagination: the parameters of a page, the position of the next one, and the list's total.

A position says where in a list a page begins: a page number, an offset, a cursor or a link, depending on the style.
``""`` is the first page of a list with cursors or links; ``None`` is the end of the list. A page number stands for
pages of the contract's size; ``12@99`` is page 12 of pages of 99 records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from requests.utils import parse_header_links

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
from ideas_pipeline.ideas_api.envelopes import NO_PAGE, says_last
from ideas_pipeline.ideas_api.field_map import MISSING, Record, present
from ideas_pipeline.ideas_api.urls import same_host

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
        position: where it begins.
        refused: the status if the API refused the page, as many do beyond the last one, or as a list without records;
            such a page has no records.
        broken: why the next page cannot be requested although there is one.
        partial: why some of its records are missing, if the API says so itself.
        nested: records inside the page's records, by column. They belong to the scope, and to no place in the list.
    """

    records: list[Record]
    total: int | None
    next: Position | None
    requests: int
    received_at: float
    position: Position = ""
    refused: int | None = None
    broken: str | None = None
    partial: str | None = None
    nested: list[Record] = field(default_factory=list)

    @property
    def every(self) -> list[Record]:
        """All records of the page, nested ones included."""
        return [*self.records, *self.nested] if self.nested else self.records


# How web frameworks answer a request for a page beyond the last one: Django REST framework and Drupal with 404,
# WordPress with 400, others with 410, 416 (RFC 9110 section 15.5.17) or 422.
BEYOND_THE_END = frozenset({400, 404, 410, 416, 422})

# No list is longer, whatever the API claims, and databases can store the number.
LARGEST_TOTAL = 10**15
_MOST_DIGITS = 100

# The names of a URL in a link that is a map.
_HREFS = ("href", "url", "uri", "link")

_NUMBER = re.compile(r"\d+(?:@\d+)?")


def first(paging: AnyPaging) -> Position:
    """The position of a list's first page."""
    match paging:
        case PagePaging():
            return paging.first
        case OffsetPaging():
            return 0
        case _:
            return ""


def may_be_beyond(paging: AnyPaging, position: Position) -> bool:
    """Whether the API did not say that there is a page at ``position``, so that a refusal may mean the list's end."""
    return isinstance(paging, PagePaging | OffsetPaging) and position != first(paging)


def is_beyond(paging: AnyPaging, position: Position, status: int | None) -> bool:
    """Whether ``status`` is a refusal of the page at ``position``, which may be beyond the end of the list."""
    if not isinstance(paging, PagePaging | OffsetPaging) or position == first(paging):
        return False
    return status in BEYOND_THE_END or status in paging.beyond


def is_usual_limit(records: int) -> bool:
    """Whether an API may limit its pages to so many records of its own accord: such limits are 10, 25, 50 …"""
    return records % 5 == 0


def page_at(paging: PagePaging, index: int, held: int, size: int | None = None) -> Position:
    """The position of the numbered page that begins at, or contains, the record at ``index``.

    Args:
        paging: the stream's paging.
        index: the record's place in the list, from 0.
        held: how many records a page holds.
        size: the page size to ask for, if it is not the contract's.
    """
    number = paging.first + index // held
    return number if size is None else f"{number}@{size}"


def is_number(position: Position) -> bool:
    """Whether a position is a page number or an offset; it is neither if it is a cursor, a link or ``""``."""
    return _NUMBER.fullmatch(str(position)) is not None


def number_and_size(position: Position) -> tuple[int, int | None]:
    """A page number, and the page's size if it is not the contract's."""
    number, _, size = str(position).partition("@")
    return int(number), int(size) if size else None


def is_short(paging: AnyPaging, position: Position, count: int) -> bool:
    """Whether a numbered page of ``count`` records has fewer than were asked for, so that it may be the last one."""
    if not isinstance(paging, PagePaging | OffsetPaging):
        return False
    return count < (number_and_size(position)[1] or paging.size)


def parameters(paging: AnyPaging, position: Position) -> dict[str, Any]:
    """The parameters that request the page at ``position``. A next link contains its parameters, so it has none."""
    named: dict[str, Any] = {}
    size: int | None = None
    match paging:
        case PagePaging():
            named[paging.page_parameter], size = number_and_size(position)
        case OffsetPaging():
            named[paging.offset_parameter] = position
        case CursorPaging() if position != "":
            named[paging.cursor_parameter] = position
        case NextLinkPaging() if position != "":
            return {}
        case NoPaging():
            return {}
    if paging.size_parameter:
        named[paging.size_parameter] = size or paging.size
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
    page = position
    if isinstance(paging, PagePaging):
        page, other = number_and_size(position)
        size = other or size
    return {"page": page, "offset": position, "cursor": position, "size": size}


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
            number, size = number_and_size(position)
            following = number + 1 if size is None else f"{number + 1}@{size}"
            return following if count else None
        case OffsetPaging():
            return number_and_size(position)[0] + count if count else None
        case CursorPaging():
            cursor = present(body, paging.cursor)
            is_last = any(says_last(body, path) for path in paging.cursor)
            return None if is_last or _is_none(cursor) else str(cursor)
        case NextLinkPaging():
            return _next_link(paging, body, headers, url)
        case NoPaging():
            return None


def _next_link(paging: NextLinkPaging, body: Json, headers: Mapping[str, str], url: str) -> str | None:
    link = _href(present(body, paging.next)) if paging.next else _link_header(headers.get("Link", ""))
    if _is_none(link):
        return None
    try:
        target = same_host(_resolved(str(link), url), url)
    except ValueError:
        raise UnexpectedResponse(
            "the next page's link is not a URL", hint="Correct paging.next in the contract, or report it to the vendor."
        ) from None
    if target is None:
        raise UnexpectedResponse(
            f"the next page's link leads to another host, {urlsplit(urljoin(url, str(link))).hostname}",
            hint="It was not followed because the access token would go there. Check the region or the base URL.",
        )
    return target


def _resolved(link: str, url: str) -> str:
    """The absolute URL of a link on the page at ``url``. Raises ValueError if it is not a URL.

    Servers behind a proxy do not know the first segments of their paths, and others write links from their base URL on.
    So a link whose path is the end of this page's path leads to this list.
    """
    link = link.replace("&amp;", "&")  # escaped for HTML; no parameter's name begins so
    target, here = urlsplit(urljoin(url, link)), urlsplit(url).path
    path = urlsplit(link).path.strip("/")
    return target._replace(path=here).geturl() if path and here.rstrip("/").endswith(f"/{path}") else target.geturl()


def _is_none(following: Json) -> bool:
    """Whether a cursor or link says that no page follows. None leads to 0 or -1, where lists begin."""
    return following is MISSING or not following or str(following).lower() in NO_PAGE


def _href(link: Json) -> Json:
    """The URL of a link that is a map (HAL), or the one called ``next`` in a list of maps (Spring, FHIR)."""
    if isinstance(link, list) and any(isinstance(each, dict) for each in link):
        link = next((each for each in link if isinstance(each, dict) and "next" in each.values()), None)
    if not isinstance(link, dict) or not link:
        return link
    if not (found := [link[name] for name in _HREFS if name in link]):
        raise UnexpectedResponse(
            f"the next page's link is a map without {', '.join(_HREFS)}", hint="Correct paging.next in the contract."
        )
    return found[0]


def _link_header(value: str) -> str | None:
    """The URL that a ``Link`` header calls ``next`` (RFC 8288)."""
    links = parse_header_links(value)
    return next((link["url"] for link in links if "next" in link.get("rel", "").lower().split()), None)


def total_of(where: Total | None, body: Json, headers: Mapping[str, str]) -> int | None:
    """The list's total as the API reports it, as a number or as text.

    Args:
        where: the contract's place of the total; None if the API has none.
        body: the JSON of a page.
        headers: the headers of that page.

    Returns:
        The total, or ``LARGEST_TOTAL`` if it is larger; None if the API reports none, or something that is not a count,
        such as "about 10,000".
    """
    value = reported_total(where, body, headers)
    if isinstance(value, str) and (digits := value.strip()).isdecimal():
        value = int(digits) if len(digits) <= _MOST_DIGITS else LARGEST_TOTAL
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, LARGEST_TOTAL)


def reported_total(where: Total | None, body: Json, headers: Mapping[str, str]) -> Json:
    """The value at the place of the total, as the API sends it; None if there is none."""
    if where is None:
        return None
    value = headers.get(where.header) if where.header else present(body, where.body)
    return None if value is MISSING or value == "" else value
