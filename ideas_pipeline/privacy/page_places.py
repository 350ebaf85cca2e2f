"""Hide in archived pages what nobody can hold to a policy: cursors, links to other pages, and headers.

A cursor or the query of a link can hold anything, also encoded: the address of the last person on a page, a search. A
replay needs neither: it only has to see which page comes after which. So any text can replace a cursor, as long as the
same text replaces it on the page that names it and on the page that was requested with it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Set
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.paging import CursorPaging, NextLinkPaging, NoPaging, OffsetPaging, PagePaging
from ideas_pipeline.contract.types import Paths
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.json_body import charset_of
from ideas_pipeline.ideas_api.pagination import AnyPaging
from ideas_pipeline.privacy.page_json import document_of, with_document

Json = Any

_HIDDEN = re.compile(r"(?:https?://[^/?#]*/\?page=)?hidden-[0-9a-f]{32}")
_NAMES_A_PLACE = re.compile("cursor|next|prev|after|before|token|marker|continu|bookmark|scroll|self", re.IGNORECASE)
# A link that a sync refused to follow stays one.
_ELSEWHERE = "https://hidden.invalid/"


class Places:
    """Replaces cursors and links by hashes. Their key is random and is forgotten with this object.

    So only pages that one object has seen fit together: those of one run, or those of one file that is rewritten.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._key = secrets.token_bytes(32)

    def page(self, page: ArchivedPage) -> ArchivedPage | None:
        """The page with hidden places: an equal one if nothing changes, None if its places cannot be found."""
        spec = self._contract.streams.get(page.stream)
        paging = spec.paging if spec else None
        page = replace(page, headers=_plain_headers(page, paging))
        if paging is None or isinstance(paging, PagePaging | OffsetPaging):
            # Any other position is of an earlier contract: such a page can hold a cursor or a link anywhere.
            return page if pagination.is_number(page.position) else None
        try:
            page = self._with_hidden_links(page, paging)
        except ValueError:
            return None
        if page.position == "":
            return page
        origin = _origin(page.address)
        return replace(page, position=self._hidden(str(page.position), paging, origin), address=f"{origin}/")

    def _with_hidden_links(self, page: ArchivedPage, paging: CursorPaging | NextLinkPaging | NoPaging) -> ArchivedPage:
        """The page without its cursor or link. Raises ValueError if its body is not JSON."""
        headers = CaseInsensitiveDict(page.headers)
        document = document_of(page) if page.body else None
        try:
            following = pagination.following(paging, page.position, 0, document, headers, page.address)
            hidden = None if following is None else self._hidden(str(following), paging, _origin(page.address))
        except UnexpectedResponse:
            hidden = _ELSEWHERE
        if headers.pop("Link", None) is not None and hidden is not None:
            headers["Link"] = f'<{hidden}>; rel="next"'
        page = replace(page, headers=dict(headers))
        changed = hidden is not None and _put(document, _place_of_next(paging), hidden)
        records = self._contract.streams[page.stream].records
        if isinstance(document, dict) and "@body" not in records:
            changed |= _drop_other_places(document, (), {tuple(path.split(".")) for path in records})
        return with_document(page, document) if changed else page

    def _hidden(self, place: str, paging: AnyPaging, origin: str) -> str:
        if _HIDDEN.fullmatch(place):
            return place
        digest = hashlib.blake2b(place.encode(errors="surrogatepass"), key=self._key, digest_size=16).hexdigest()
        return f"{origin}/?page=hidden-{digest}" if isinstance(paging, NextLinkPaging) else f"hidden-{digest}"


def _place_of_next(paging: CursorPaging | NextLinkPaging | NoPaging) -> Paths:
    match paging:
        case CursorPaging():
            return paging.cursor
        case NextLinkPaging():
            return paging.next
        case NoPaging():
            return ()


def _origin(address: str) -> str:
    parts = urlsplit(address or _ELSEWHERE)  # an old archive has no addresses
    return f"{parts.scheme}://{parts.netloc}"


def _plain_headers(page: ArchivedPage, paging: AnyPaging | None) -> dict[str, str]:
    """The headers that are needed to read the page, cut down to what they are needed for."""
    kept = {}
    total = getattr(paging, "total", None)
    for name, value in page.headers.items():
        if name.lower() == "content-type":
            if charset := charset_of(value):
                kept[name] = f"application/json; charset={charset}"
        elif name.lower() == "link":
            kept[name] = value  # hidden later
        elif pagination.total_of(total, None, CaseInsensitiveDict({name: value})) is not None:
            kept[name] = value.strip()
    return kept


def _drop_other_places(at: dict[str, Json], way: tuple[str, ...], records: Set[tuple[str, ...]]) -> bool:
    """Shorten links beside the records, and remove cursors. Returns whether there were any."""
    changed = False
    for name, value in at.items():
        here = (*way, name)
        if here in records:
            continue
        if isinstance(value, dict):
            changed |= _drop_other_places(value, here, records)
        elif isinstance(value, str) and not _HIDDEN.fullmatch(value) and value != _ELSEWHERE:
            left = "" if _NAMES_A_PLACE.search(name) and "/" not in value else value.partition("?")[0]
            at[name] = left
            changed |= left != value
    return changed


def _put(document: Json, paths: Paths, value: str) -> bool:
    """Replace what is at each of ``paths``, in place. Returns whether anything changed."""
    changed = False
    for path in paths:
        *way, last = path.split(".")
        at = document
        for step in way:
            at = at.get(step) if isinstance(at, dict) else None
        if isinstance(at, dict) and at.get(last) not in (None, "", False, value):
            at[last] = value
            changed = True
    return changed
