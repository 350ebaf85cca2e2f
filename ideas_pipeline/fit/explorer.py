"""What is known of the live API's lists while they are explored."""

from __future__ import annotations

from dataclasses import dataclass, field

from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.login import Tokens
from ideas_pipeline.fit.paging import Found, List
from ideas_pipeline.fit.session import Session
from ideas_pipeline.probe.probe import Seen


@dataclass
class Explorer:
    """What is known of the API's lists.

    Attributes:
        session: the live API.
        draft: gets what is found.
        tokens: what the login gave.
        header_known: whether the API has accepted a header; None if it refuses every known one.
        paging: the paging of another list of this API.
        seen: rows by table, as the draft maps them.
        lists: the list of each stream that was found.
        sizes: the parameters that set the page size of other lists.
        size: the largest page that another list gave.
    """

    session: Session
    draft: Draft
    tokens: Tokens
    header_known: bool | None = False
    paging: Found | None = None
    seen: Seen = field(default_factory=dict)
    lists: dict[str, List] = field(default_factory=dict)
    sizes: list[str] = field(default_factory=list)
    size: int | None = None
