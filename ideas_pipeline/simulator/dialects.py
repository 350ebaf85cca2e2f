"""Habits of real APIs by name. Each is data; those that do not contradict each other can be combined."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.shape import Quirks


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
    """

    about: str
    quirks: Mapping[str, Any] = field(default_factory=dict)
    contract: Mapping[str, Any] = field(default_factory=dict)
    page_cap: int | None = None
    token_uses: int | None = None
    rate_limit: int | None = None
    faults: tuple[Fault, ...] = ()


# A token that is refused in another way than 401 has to expire now and then for it to be seen.
_USES = 25
_RATE = 40

DIALECTS: dict[str, Dialect] = {
    "own-page-size": Dialect("pages are smaller than requested", page_cap=7),
    "total-as-text": Dialect('the total is a text: "120"', {"total": "text"}),
    "no-total": Dialect("the total is left out", {"total": "absent"}),
    "numbers-as-text": Dialect('numbers are texts: "12", "3.50"', {"numbers_as_text": True}),
    "booleans-as-text": Dialect('true and false are "1" and "0"', {"booleans": "text"}),
    "booleans-as-numbers": Dialect("true and false are 1 and 0", {"booleans": "number"}),
    "ids-as-numbers": Dialect("ids are numbers", {"ids_as_numbers": True}),
    "maps-by-id": Dialect("lists are maps by id", {"keyed_lists": True}),
    "empty-list-for-null": Dialect("an absent object is an empty list", {"empty_as_list": True}),
    "times-in-seconds": Dialect("times are seconds since 1970", {"timestamps": "epoch"}),
    "times-without-zone": Dialect("times have no zone", {"timestamps": "naive"}, contract={"timezone": "Africa/Lagos"}),
    "zero-date-for-none": Dialect("no time is 0000-00-00 00:00:00", {"no_timestamp": "0000-00-00 00:00:00"}),
    "zero-for-none": Dialect("no time is 0", {"no_timestamp": 0}),
    "people-everywhere": Dialect("unmapped fields, with names and addresses of people", {"extra_fields": True}),
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


def combined(names: Collection[str]) -> Dialect:
    """Several habits as one.

    Raises:
        ValueError: Two of them contradict each other.
    """
    result = Dialect(about=" and ".join(DIALECTS[name].about for name in names) or "none")
    for name in names:
        new = DIALECTS[name]
        if twice := sorted(result.quirks.keys() & new.quirks.keys()):
            same = [n for n in names if n != name and twice[0] in DIALECTS[n].quirks]
            raise ValueError(f"{name} and {same[0]} contradict each other: an API does only one of them")
        result = Dialect(
            about=result.about,
            quirks={**result.quirks, **new.quirks},
            contract=merge(result.contract, new.contract),
            page_cap=new.page_cap or result.page_cap,
            token_uses=new.token_uses or result.token_uses,
            rate_limit=new.rate_limit or result.rate_limit,
            faults=result.faults + new.faults,
        )
    return result


def quirks_of(dialect: Dialect) -> Quirks:
    """The quirks of a dialect."""
    return Quirks(**dialect.quirks)
