"""The contract's paging styles: which slice of a list a request asks for, and the cursor to the rest."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ideas_pipeline.contract.model import Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.responses import RequestRefused

POSITION_PARAMETER = "position"  # the parameter of the simulator's own next links


@dataclass(frozen=True)
class Slice:
    """At most ``size`` records from ``start`` on (None: all of them)."""

    start: int
    size: int | None


def requested_slice(
    stream: Stream, sent: dict[str, Json], path_parameters: dict[str, str], cap: int | None, scope: str
) -> Slice:
    """The slice that a request asks for.

    Args:
        stream: The stream of the requested list.
        sent: Parameters of the query, form or body by name.
        path_parameters: Paging parameters in the URL's path, by placeholder.
        cap: The largest page that is ever returned (None: as requested).
        scope: The list's id; a cursor of another list is refused.

    Raises:
        RequestRefused: 400; the parameters are not those of the contract.
    """
    paging = stream.paging
    left = dict(sent)
    for name, value in stream.parameters.items():
        if str(left.pop(name, None)) != str(value):
            raise RequestRefused(400, f"the parameter {name} must be {value}")
    if paging.style == "none":
        _refuse_rest(left)
        return Slice(0, None)

    size = paging.size
    if "size" in path_parameters:
        size = _number("size", path_parameters["size"], least=1)
    elif paging.size_parameter and paging.size_parameter in left:
        size = _number(paging.size_parameter, left.pop(paging.size_parameter), least=1)
    size = min(size, cap) if cap else size

    if paging.style == "page":
        name = paging.page_parameter
        page = path_parameters["page"] if "page" in path_parameters else left.pop(name, paging.first)
        start = (_number(name, page, least=paging.first) - paging.first) * size
    elif paging.style == "offset":
        name = paging.offset_parameter
        offset = path_parameters["offset"] if "offset" in path_parameters else left.pop(name, 0)
        start = _number(name, offset, least=0)
    else:
        name = paging.cursor_parameter if paging.style == "cursor" else POSITION_PARAMETER
        start = _from_cursor(path_parameters["cursor"] if "cursor" in path_parameters else left.pop(name, ""), scope)
    _refuse_rest(left)
    return Slice(start, size)


def cursor(scope: str, start: int) -> str:
    """Encode a position in the list. Rows inserted or deleted before it shift the row that it points at."""
    return base64.urlsafe_b64encode(f"{scope}:{start}".encode()).decode().rstrip("=")


def _from_cursor(value: Json, scope: str) -> int:
    if value in ("", None):
        return 0
    try:
        text = base64.urlsafe_b64decode(f"{value}{'=' * (-len(str(value)) % 4)}").decode()
        of, _, start = text.rpartition(":")
        if of == scope:
            return int(start)
    except ValueError:
        pass
    raise RequestRefused(400, "the cursor was not issued by this list")


def _number(name: str, value: Json, *, least: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise RequestRefused(400, f"the parameter {name} must be a whole number") from None
    if number < least:
        raise RequestRefused(400, f"the parameter {name} must be {least} or more")
    return number


def _refuse_rest(left: dict[str, Json]) -> None:
    if left:
        raise RequestRefused(400, f"unknown parameter {min(left)}")
