"""Work out the paging of a list from its first page and a few requests: style, parameters, first page, total."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from ideas_pipeline.contract.paging import Total
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.ideas_api.field_map import MISSING, present, records_in
from ideas_pipeline.ideas_api.pagination import total_of
from ideas_pipeline.probe import vocabulary
from ideas_pipeline.probe.guess import likely_paging, likely_total

# The position that is requested: at this one, numbered pages from 0 and from 1 and offsets all differ.
_SECOND = 2
_WANTED = 3

Get = Callable[[Mapping[str, Json]], Exchange]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    Attributes:
        answer: the response.
        records: its records, each with its key in a keyed map.
        keys: a text per record that identifies it.
    """

    answer: Exchange
    records: list[tuple[str | None, Json]]
    keys: list[str]


@dataclass(frozen=True)
class List:
    """A list of the live API.

    Attributes:
        get: requests it with parameters.
        records: the path of its records.
        first: its first page, read without paging parameters.
        path: its path, with placeholders.
        key: the name of the field that identifies its records.
        scope: the parent's id in the path; empty for a list without a parent.
    """

    get: Get
    records: str
    first: Page
    path: str = ""
    key: str | None = None
    scope: str = ""

    def page(self, values: Mapping[str, Json]) -> Page | None:
        """Read a page; None if the API refuses the parameters."""
        answer = self.get(values)
        return page_of(answer, self.records, self.key) if answer.ok else None


@dataclass(frozen=True)
class Found:
    """The paging that was seen.

    Attributes:
        values: the contract's paging without ``size`` and ``total``.
        reasons: what was seen, by the name of a value.
    """

    values: dict[str, Json]
    reasons: dict[str, str] = field(default_factory=dict)


def page_of(answer: Exchange, records: str, key: str | None = None) -> Page | None:
    """The page in a response; None if it has no records where they are expected.

    Args:
        answer: the response.
        records: the path of the records.
        key: the name of the field that identifies a record (see ``key_of``); None compares whole records.
    """
    try:
        found = records_in(answer.body, (records,))
    except UnexpectedResponse:
        return None
    maps = [record for _, record in found if isinstance(record, dict)]
    has_key = key is not None and len(maps) == len(found) and all(key in record for record in maps)
    return Page(answer, found, [str(record[key]) for record in maps] if has_key else [str(r) for _, r in found])


def key_of(answer: Exchange, records: str) -> str | None:
    """The name of the field that identifies the records of a page; None if no name of an id has distinct values."""
    page = page_of(answer, records)
    found = page.records if page else []
    maps = [record for _, record in found if isinstance(record, dict)]
    if not maps or len(maps) < len(found):
        return None
    names = [n for n in maps[0] if n.lower() in ("id", "_id", "uid", "uuid", "guid", "key") or n.lower().endswith("id")]
    unique = (n for n in sorted(names, key=len) if len({str(record.get(n)) for record in maps}) == len(maps))
    return next(unique, None)


def total_in(answer: Exchange, records: str, count: int) -> tuple[dict[str, str], int] | None:
    """The place of the list's total in a response, as in the contract, and the total; None if there is none."""
    where = likely_total(answer.body, answer.answer_headers, records, count)
    if where is None:
        return None
    total = total_of(Total.model_validate(where), answer.body, answer.answer_headers)
    return None if total is None else (where, total)


def is_in_force(total: Total | None, where: Mapping[str, str]) -> bool:
    """Whether the contract's total is read at this place."""
    if total is None:
        return False
    if "header" in where:
        return (total.header or "").lower() == where["header"].lower()
    return where["body"] in total.body


def fit_paging(target: List, learned: Found | None, sizes: list[str]) -> Found | None:
    """Find the paging of a list. A list with fewer than two records cannot show it, and gets that of the other lists.

    Args:
        target: the list.
        learned: the paging of another list of this API, which is tried first.
        sizes: parameters that set the page size of other lists; the parameter of this list replaces them.

    Returns:
        The paging; None if the list is too short to show it, or no known parameter changes what comes.
    """
    count = len(target.first.keys)
    if count < 2:
        reason = "as in another list: this one is too short to show it"
        return Found(learned.values, dict.fromkeys(learned.values, reason)) if learned and count else None
    if learned is not None and (same := _like(target, learned)):
        return same
    first = target.first
    hint = likely_paging(first.answer.body, first.answer.answer_headers)
    size, small = _size_parameter(target, [*sizes, *_echoed(first.answer, hint)])
    if size and small:
        # A short page shows the link or the cursor that a page with the whole list lacks.
        sizes[:] = [size]
        first = small
        hint = likely_paging(first.answer.body, first.answer.answer_headers) or hint
    sized: dict[str, Json] = {"size_parameter": size}
    reasons = {"size_parameter": "a page had as many records as it asked for" if size else "no known parameter sets it"}
    if hint and hint["style"] == "next_link":
        values: dict[str, Json] = {"style": "next_link"} | ({"next": hint["next"]} if "next" in hint else {}) | sized
        seen = {"style": "the response links to the next page", "next": "seen in the response"}
        return Found(values, reasons | seen)
    if hint and hint["style"] == "cursor":
        name = _cursor_parameter(target, hint["cursor"], first, size)
        if name is None:
            return None
        values = {"style": "cursor", "cursor": hint["cursor"], "cursor_parameter": name} | sized
        seen = {
            "style": "the response has the next page's cursor",
            "cursor": "seen in the response",
            "cursor_parameter": "it led to other records",
        }
        return Found(values, reasons | seen)
    return _by_position(target, size, _echoed(target.first.answer, hint))


def from_request(values: Mapping[str, Json], answer: Exchange) -> Found | None:
    """The paging that a recorded request shows by its parameters and its response; None if it shows none."""
    hint = likely_paging(answer.body, answer.answer_headers) if answer.ok else None
    size = next((name for name in values if name in vocabulary.SIZE_NAMES), None)
    sized: dict[str, Json] = {"size_parameter": size} if size else {}
    reasons = {"size_parameter": "in a recorded request", "style": "in a recorded request"}
    for style, names in (("page", vocabulary.PAGE_NAMES), ("offset", vocabulary.OFFSET_NAMES)):
        name = next((n for n in values if n in names and str(values[n]).isdecimal()), None)
        if name:
            found: dict[str, Json] = {"style": style, f"{style}_parameter": name} | sized
            if style == "page" and str(values[name]) == "0":
                found["first"] = 0
            return Found(
                found, reasons | {f"{style}_parameter": "in a recorded request", "first": "page 0 was requested"}
            )
    if hint and hint["style"] == "next_link":
        return Found({name: hint[name] for name in ("style", "next") if name in hint} | sized, reasons)
    if hint and hint["style"] == "cursor":
        by = next((n for n in values if n in vocabulary.CURSOR_NAMES), None)
        named: dict[str, Json] = {"cursor_parameter": by} if by else {}
        return Found({"style": "cursor", "cursor": hint["cursor"]} | named | sized, reasons)
    return None


def parameters(found: Found, size: int | None = None, second: bool = False) -> dict[str, Json]:
    """The parameters that ask for a page: the first one, or the second one of numbered pages and offsets."""
    values: dict[str, Json] = {}
    name = found.values.get("size_parameter")
    if name and size:
        values[name] = size
    first = found.values.get("first", 1)
    if found.values["style"] == "page":
        values[found.values["page_parameter"]] = first + 1 if second else first
    elif found.values["style"] == "offset":
        values[found.values["offset_parameter"]] = (size or 0) if second else 0
    return values


def _like(target: List, learned: Found) -> Found | None:
    """The paging of another list, if it works here: with pages of half the records, page two has the other half."""
    size = learned.values.get("size_parameter")
    keys = target.first.keys
    if not size:
        return None
    half = (len(keys) + 1) // 2
    if learned.values["style"] in ("page", "offset"):
        second = target.page(parameters(learned, half, second=True))
        if second is None:
            return _unpaged_if_refused(target)
        if second.keys and second.keys == keys[half : 2 * half][: len(second.keys)]:
            return Found(learned.values, dict.fromkeys(learned.values, "seen here as in another list"))
        return _unpaged() if second.keys == keys and len(keys) > 1 else None
    small = target.page({size: half})
    if small is None:
        return _unpaged_if_refused(target)
    hint = likely_paging(small.answer.body, small.answer.answer_headers)
    if len(small.keys) == half and hint and hint["style"] == learned.values["style"]:
        return Found(learned.values, dict.fromkeys(learned.values, "seen here as in another list"))
    return _unpaged() if small.keys == keys and len(keys) > 1 else None


def _unpaged_if_refused(target: List) -> Found | None:
    """No paging, for a list that refuses the other lists' parameters, if its first page has all its records."""
    count = len(target.first.keys)
    total = total_in(target.first.answer, target.records, count)
    hint = likely_paging(target.first.answer.body, target.first.answer.answer_headers)
    return None if hint or (total and total[1] > count) else _unpaged()


def _unpaged() -> Found:
    return Found(
        {"style": "none"}, {"style": "paging parameters of other lists change nothing here, and all records came"}
    )


def _wanted(count: int) -> int:
    return max(1, min(_WANTED, (count - 1) // 2))


def _echoed(answer: Exchange, hint: Mapping[str, Json] | None) -> list[str]:
    """Parameter names in the response: those of a link to the next page, and those that the body repeats."""
    names: list[str] = []
    if hint and hint["style"] == "next_link":
        link = present(answer.body, (hint["next"],)) if "next" in hint else None
        link = link or answer.answer_headers.get("Link", "")
        names += [name for name, _ in parse_qsl(urlsplit(str(link).split(">")[0].lstrip("<")).query)]
    if hint:
        names += [str(v) for k, v in hint.items() if k.endswith("_parameter") and v]
    return names


def _size_parameter(target: List, likely: Sequence[str]) -> tuple[str | None, Page | None]:
    """The parameter that sets the page size, and the short page that it led to; None for both if there is none."""
    count = len(target.first.keys)
    want = _wanted(count)
    if want >= count:
        return None, None
    names = list(dict.fromkeys([*(n for n in likely if n in vocabulary.SIZE_NAMES), *vocabulary.SIZE_NAMES]))
    return _acting(target, names, want, lambda page: len(page.keys) == want) or (None, None)


def _cursor_parameter(target: List, place: str, first: Page, size: str | None) -> str | None:
    value = present(first.answer.body, (place,))
    if value is MISSING or value in (None, "", False):
        return None
    own = place.rsplit(".", 1)[-1]
    names = list(dict.fromkeys([*vocabulary.CURSOR_NAMES, own]))
    more: dict[str, Json] = {size: len(first.keys)} if size else {}
    acting = _acting(target, names, value, lambda page: bool(page.keys) and page.keys != first.keys, more)
    return acting[0] if acting else None


def _by_position(target: List, size: str | None, echoed: Sequence[str]) -> Found | None:
    """Numbered pages or offsets, distinguished by the records at position 2."""
    keys = target.first.keys
    want = _wanted(len(keys)) if size else len(keys)
    more: dict[str, Json] = {size: want} if size else {}
    start = keys[:want]
    known = [*vocabulary.PAGE_NAMES, *vocabulary.OFFSET_NAMES]
    names = list(dict.fromkeys([*(n for n in echoed if n in known), *_alternating(known)]))
    acting = _acting(target, names, _SECOND, lambda page: page.keys != start, more)
    if acting is None:
        return None
    name, got = acting[0], acting[1].keys
    seen = {"style": "position 2 had other records", "size_parameter": "a page had as many records as it asked for"}
    sized: dict[str, Json] = {"size_parameter": size}
    if (
        got
        and got == keys[_SECOND : _SECOND + want][: len(got)]
        and (want != _SECOND or name in vocabulary.OFFSET_NAMES)
    ):
        return Found(
            {"style": "offset", "offset_parameter": name} | sized, seen | {"offset_parameter": "it skips records"}
        )
    first = 1
    if not (got and got == keys[want : 2 * want][: len(got)]):
        one = target.page({name: 1} | more)
        first = 1 if one and one.keys == start else 0
    found: dict[str, Json] = {"style": "page", "page_parameter": name, "first": first} | sized
    return Found(found, seen | {"page_parameter": "it turns pages", "first": f"page {first} has the first records"})


def _alternating(names: Sequence[str]) -> list[str]:
    """Page and offset names alternately, so that the common ones of both come first."""
    pages = [n for n in names if n in vocabulary.PAGE_NAMES]
    offsets = [n for n in names if n in vocabulary.OFFSET_NAMES]
    mixed = [name for pair in zip(pages, offsets, strict=False) for name in pair]
    return [*mixed, *pages[len(offsets) :], *offsets[len(pages) :]]


def _acting(
    target: List,
    names: Sequence[str],
    value: Json,
    acts: Callable[[Page], bool],
    more: Mapping[str, Json] | None = None,
) -> tuple[str, Page] | None:
    """The parameter that has an effect, and the page that it led to.

    The first name is tried alone, then all others at once: most APIs ignore parameters that they do not know, so that
    halving finds the one with an effect. An API that refuses unknown parameters gets them one by one.

    Args:
        target: the list.
        names: the parameters, the most likely one first.
        value: the value to send in each.
        acts: whether a page shows an effect.
        more: parameters to send in each request.
    """

    def sent(some: Sequence[str]) -> Page | None:
        return target.page(dict.fromkeys(some, value) | dict(more or {}))

    page = sent(names[:1])
    if page is not None and acts(page):
        return names[0], page
    some = list(names[1:])
    page = sent(some) if page is not None else None
    if page is None:
        for name in some:
            page = sent([name])
            if page is not None and acts(page):
                return name, page
        return None
    if not acts(page):
        return None
    while len(some) > 1:
        half = some[: len(some) // 2]
        page = sent(half)
        if page is None or not acts(page):
            half, page = some[len(half) :], None
        some = half
    page = page or sent(some)
    return (some[0], page) if page is not None and acts(page) else None
