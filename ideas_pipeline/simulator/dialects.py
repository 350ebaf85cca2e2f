"""Habits of real APIs by name. Each is data; those that do not contradict each other can be combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.simulator.changes import (
    ZONE_OF_ODD_HOURS,
    Change,
    numbered_per_idea,
    with_entities,
    with_ids,
    with_odd_hours,
    with_odd_texts,
    with_whole_days,
)
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.truth import Tables


@dataclass(frozen=True)
class Dialect:
    """One habit.

    Attributes:
        about: The habit in a few words, for people.
        quirks: The fields of ``Quirks`` that it sets.
        contract: What the contract of a client must say about it; most habits need nothing.
        page_cap: The largest page that is ever returned.
        token_uses: The number of API calls that an access token allows.
        rate_limit: Requests per second; more are refused.
        faults: What goes wrong now and then.
        unlike: Dialects that it cannot be combined with.
        changes: Changes of the community that make the habit visible, such as long ids.
        restless: Rows come and go while a list is read.
        tls: The API has to be served with TLS.
        refused: Part of the reason that a sync gives for not reading such an API; empty if it reads it.
    """

    about: str
    quirks: Mapping[str, Any] = field(default_factory=dict)
    contract: Mapping[str, Any] = field(default_factory=dict)
    page_cap: int | None = None
    token_uses: int | None = None
    rate_limit: int | None = None
    faults: tuple[Fault, ...] = ()
    unlike: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    restless: bool = False
    tls: bool = False
    refused: str = ""

    def change(self, tables: Tables) -> None:
        """Change ``tables`` so that the habit is visible in them."""
        for change in self.changes:
            change(tables)


def _paging(**paging: Any) -> dict[str, Any]:
    """A contract all of whose lists are paged in this way."""
    return {"streams": {name: {"paging": paging} for name in ("challenges", "users", "ideas", "comments", "votes")}}


# A token that is refused in another way than 401 has to expire now and then for it to be seen.
_USES = 25
_RATE = 40
_NO_TOTAL = ("no-total", "total-estimated", "total-too-large")  # the contract names none
_LOW_TOTAL = ("total-capped", "total-too-small")
_HEADER = ("total-in-a-header",)
_CURSOR = _paging(style="cursor", cursor=["next_cursor"])
_LINKS = _paging(style="next_link", next=["links.next"])

DIALECTS: dict[str, Dialect] = {
    "pages-from-0": Dialect("pages are numbered from 0", contract=_paging(style="page", first=0)),
    "offsets": Dialect("pages begin after an offset", contract=_paging(style="offset")),
    "cursors": Dialect("each page names the cursor of the next", contract=_CURSOR),
    "links": Dialect("each page has the address of the next", contract=_LINKS),
    "relative-links": Dialect("addresses of next pages have no host", {"next_links": "relative"}, contract=_LINKS),
    "link-header": Dialect("the address of the next page is in the Link header", contract=_paging(style="next_link")),
    "http-links": Dialect(
        "addresses of next pages have http although the API is behind TLS",
        {"next_links": "http"},
        contract=_LINKS,
        tls=True,
    ),
    "links-to-another-host": Dialect(
        "addresses of next pages have another host",
        {"next_links": "another host"},
        contract=_LINKS,
        refused="the next page's link leads to another host",
    ),
    # Without a total, nothing shows that such a list has ended.
    "endless-cursors": Dialect(
        "the last page names a cursor, too",
        {"endless": True},
        contract=_CURSOR,
        unlike=(*_NO_TOTAL, *_LOW_TOTAL),
    ),
    "hidden-rows": Dialect(
        "rows that the account may not see leave empty pages",
        {"hidden_rows": True},
        contract=_CURSOR,
        unlike=("total-estimated", "total-too-large", *_LOW_TOTAL),
    ),
    "beyond-as-404": Dialect("a page beyond the last one is answered 404", {"beyond_end": "404"}),
    "beyond-as-400": Dialect("a page beyond the last one is answered 400", {"beyond_end": "400"}),
    "beyond-as-416": Dialect("a page beyond the last one is answered 416", {"beyond_end": "416"}),
    "last-page-again": Dialect("a page beyond the last one is the last one again", {"beyond_end": "last page"}),
    "empty-as-204": Dialect("a list without rows is answered 204", {"empty_list": "204"}),
    "empty-as-404": Dialect("a list without rows is answered 404", {"empty_list": "404"}),
    "empty-as-null": Dialect("a list without rows is null", {"empty_list": "null"}),
    "empty-left-out": Dialect(
        "a list without rows is left out, the total is 0",
        {"empty_list": "left out"},
        unlike=_NO_TOTAL,
    ),
    "newest-first": Dialect("lists are sorted by last edit", {"newest_first": True}),
    "restless": Dialect("rows come and go while a list is read", restless=True),
    "shared-records": Dialect(
        "some records are in the lists of two parents, and name theirs",
        {"shared_records": True, "names_parents": True},
    ),
    "own-page-size": Dialect("pages are smaller than requested", page_cap=6),
    "total-as-text": Dialect('the total is a text: "120"', {"total": "text"}),
    "no-total": Dialect("the total is left out", {"total": "absent"}),
    "total-on-the-first-page": Dialect("only the first page has the total", {"total": "first page"}),
    "total-capped": Dialect("the total does not count further than 6", {"total": "capped"}),
    "total-estimated": Dialect(
        "the total is an estimate, in tens", {"total": "rounded"}, contract=_paging(total=None), unlike=_HEADER
    ),
    "total-too-large": Dialect(
        "the total counts more than there is", {"total": "too large"}, contract=_paging(total=None), unlike=_HEADER
    ),
    "total-too-small": Dialect("the total counts half of what there is", {"total": "too small"}),
    "total-in-a-header": Dialect("the total is in a header", contract=_paging(total={"header": "X-Total-Count"})),
    "numbers-as-text": Dialect('numbers are texts: "12", "3.50"', {"numbers_as_text": True}),
    "booleans-as-text": Dialect('true and false are "1" and "0"', {"booleans": "text"}),
    "booleans-as-numbers": Dialect("true and false are 1 and 0", {"booleans": "number"}),
    "ids-as-numbers": Dialect("ids are numbers", {"ids_as_numbers": True}),
    "mixed-ids": Dialect(
        "an id is a number, and text where another record names it", {"mixed_ids": True}, unlike=("ids-as-numbers",)
    ),
    "maps-by-id": Dialect("lists are maps by id", {"keyed_lists": True}),
    "long-ids": Dialect(
        "ids are numbers beyond 64 bits",
        {"ids_as_numbers": True},
        changes=(with_ids(lambda n: f"1234567890123456789{n}"),),
    ),
    # A number has no zeros in front, and a community has its ids in one form.
    "ids-with-zeros": Dialect(
        "ids begin with zeros",
        changes=(with_ids(lambda n: f"00{n}"),),
        unlike=("ids-as-numbers", "long-ids", "mixed-ids"),
    ),
    "ids-in-two-cases": Dialect(
        "ids differ only in upper and lower case",
        changes=(with_ids(lambda n: f"{n:b}".replace("0", "x").replace("1", "X")),),
        unlike=("ids-with-zeros", "long-ids"),
    ),
    "ids-per-idea": Dialect(
        "each idea numbers its comments and votes from 1",
        contract={"streams": {name: {"key": ["idea_id", "id"]} for name in ("comments", "votes")}},
        changes=(numbered_per_idea,),
        unlike=("long-ids", "ids-with-zeros", "ids-in-two-cases"),
    ),
    "no-ids": Dialect("votes have no id", {"no_ids": True}, unlike=("ids-per-idea", "maps-by-id")),
    "repeated-items": Dialect("the items of lists inside a record come twice", {"repeated_items": True}),
    "replies-inside-comments": Dialect("comments have the replies to them inside", {"nested": True}),
    "threads-inside-comments": Dialect(
        "comments have the replies to them inside, under a name of the API's own",
        {"nested": True},
        contract={"streams": {"comments": {"nested": ["thread.answers"]}}},
    ),
    "empty-list-for-null": Dialect("an absent object is an empty list", {"empty_as_list": True}),
    "letters-for-booleans": Dialect('true and false are "Y" and "N"', {"booleans": "letters"}),
    "times-in-milliseconds": Dialect("times are milliseconds since 1970", {"timestamps": "milliseconds"}),
    "times-in-many-formats": Dialect("times are in many formats, even in one column", {"timestamps": "mixed"}),
    "whole-days": Dialect("times are days: 20240105", {"timestamps": "days"}, changes=(with_whole_days,)),
    "odd-hours": Dialect(
        "times have no zone, and some are in an hour that the clocks skip or repeat",
        {"timestamps": "skipping"},
        contract={"timezone": ZONE_OF_ODD_HOURS},
        changes=(with_odd_hours,),
    ),
    "times-in-seconds": Dialect("times are seconds since 1970", {"timestamps": "epoch"}),
    "times-without-zone": Dialect("times have no zone", {"timestamps": "naive"}, contract={"timezone": "Africa/Lagos"}),
    "zero-date-for-none": Dialect("no time is 0000-00-00 00:00:00", {"no_timestamp": "0000-00-00 00:00:00"}),
    "year-1-for-none": Dialect("no time is 0001-01-01T00:00:00Z", {"no_timestamp": "0001-01-01T00:00:00Z"}),
    "1899-for-none": Dialect("no time is 1899-12-30 00:00:00", {"no_timestamp": "1899-12-30 00:00:00"}),
    "1970-for-none": Dialect("no time is 1970-01-01 00:00:00", {"no_timestamp": "1970-01-01 00:00:00"}),
    "zero-for-none": Dialect("no time is 0", {"no_timestamp": 0}),
    "people-everywhere": Dialect("unmapped fields, with names and addresses of people", {"extra_fields": True}),
    "invalid-utf-8": Dialect("some bytes are not valid UTF-8", {"broken_texts": "bytes"}, changes=(with_odd_texts,)),
    "nul-in-texts": Dialect("texts have NUL characters", {"broken_texts": "NUL"}, changes=(with_odd_texts,)),
    "lone-surrogates": Dialect("texts have lone surrogates", {"broken_texts": "surrogate"}, changes=(with_odd_texts,)),
    "html-entities": Dialect("texts are escaped as in HTML: R&amp;D", changes=(with_entities,)),
    "ignored-parents": Dialect(
        "every list of a parent holds the records of all", {"ignored_parents": True, "names_parents": True}
    ),
    "one-list-of-all": Dialect(
        "ideas, comments and votes are one list each",
        {"names_parents": True},
        contract={"streams": {name: {"path": name, "each": None} for name in ("ideas", "comments", "votes")}},
        unlike=("ids-per-idea",),
    ),
    "lists-of-challenges": Dialect(
        "comments and votes are listed by challenge",
        {"names_parents": True},
        contract={
            "streams": {
                name: {
                    "path": f"challenges/{{challenge_id}}/{name}",
                    "each": {
                        "of": ["challenges.id"],
                        "placeholder": "challenge_id",
                        "changed_when": [],
                        "declared": None,
                    },
                }
                for name in ("comments", "votes")
            }
        },
        unlike=("ids-per-idea",),
    ),
    "byte-order-mark": Dialect("bodies begin with a byte order mark", faults=(Fault(kind="bom", times=None),)),
    "expired-as-403": Dialect("an expired token is answered 403", {"expired_as": "403"}, token_uses=_USES),
    "expired-as-400": Dialect("an expired token is answered 400", {"expired_as": "400"}, token_uses=_USES),
    "expired-as-200": Dialect(
        "an expired token is answered 200 with an error", {"expired_as": "200"}, token_uses=_USES
    ),
    "expired-as-200-with-a-code": Dialect(
        "an expired token is answered 200 with a code of 401", {"expired_as": "200 with a code"}, token_uses=_USES
    ),
    "refresh-token-stays": Dialect(
        "a refresh brings no new refresh token", {"refresh_rotates": False}, token_uses=_USES
    ),
    "rate-limit-as-403": Dialect("a rate limit is answered 403", {"limited_as": "403"}, rate_limit=_RATE),
    "rate-limit-as-200": Dialect("a rate limit is answered 200 with an error", {"limited_as": "200"}, rate_limit=_RATE),
    "maintenance-as-200": Dialect(
        "now and then, a maintenance page is answered with 200", faults=(Fault(kind="html", every=23, times=None),)
    ),
}


def combined(names: Sequence[str]) -> Dialect:
    """Several habits as one.

    Raises:
        ValueError: Two of them contradict each other.
    """
    result = Dialect(about=" and ".join(DIALECTS[name].about for name in names) or "none")
    for position, name in enumerate(names):
        new = DIALECTS[name]
        for other in names[:position]:
            if contradict(other, name):
                raise ValueError(f"{name} and {other} contradict each other: an API does only one of them")
        result = Dialect(
            about=result.about,
            quirks={**result.quirks, **new.quirks},
            contract=merge(result.contract, new.contract),
            page_cap=new.page_cap or result.page_cap,
            token_uses=new.token_uses or result.token_uses,
            rate_limit=new.rate_limit or result.rate_limit,
            faults=result.faults + new.faults,
            changes=result.changes + new.changes,
            restless=new.restless or result.restless,
            tls=new.tls or result.tls,
            refused=new.refused or result.refused,
        )
    return result


def contradict(one: str, other: str) -> bool:
    """Whether no API can have both habits."""
    a, b = DIALECTS[one], DIALECTS[other]
    if one == other or other in a.unlike or one in b.unlike:
        return True
    ours, theirs = _leaves(a.contract), _leaves(b.contract)
    return bool(a.quirks.keys() & b.quirks.keys()) or any(
        ours[place] != theirs[place] for place in ours.keys() & theirs.keys()
    )


def _leaves(contract: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The values of a part of a contract, by dotted place."""
    found: dict[str, Any] = {}
    for name, value in contract.items():
        at = f"{place}.{name}"
        found |= _leaves(value, at) if isinstance(value, Mapping) else {at: value}
    return found


def quirks_of(dialect: Dialect) -> Quirks:
    """The quirks of a dialect."""
    return Quirks(**dialect.quirks)
