"""Which part of a list a request wants, and how the answer says where the rest is: the contract's paging styles."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ideas_pipeline.contract.model import Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.answer import Refused

POSITION = "position"  # the parameter by which the simulator's own next links continue


@dataclass(frozen=True)
class Part:
    """Records from ``start`` on, ``size`` at most (None: all of them)."""

    start: int
    size: int | None


def wanted(stream: Stream, sent: dict[str, Json], in_path: dict[str, str], cap: int | None, scope: str) -> Part:
    """The part that the request asks for. Raises Refused where its parameters are not the contract's.

    ``sent``: parameters by name. ``in_path``: paging that travels in the URL's path. ``cap``: the largest page.
    """
    paging = stream.paging
    left = dict(sent)
    for name, value in stream.parameters.items():
        if str(left.pop(name, None)) != str(value):
            raise Refused(400, f"the parameter {name} must be {value}")
    if paging.style == "none":
        _nothing_else(left)
        return Part(0, None)

    size = paging.size
    if "size" in in_path:
        size = _number("size", in_path["size"], least=1)
    elif paging.size_parameter and paging.size_parameter in left:
        size = _number(paging.size_parameter, left.pop(paging.size_parameter), least=1)
    size = min(size, cap) if cap else size

    if paging.style == "page":
        name = paging.page_parameter
        page = in_path["page"] if "page" in in_path else left.pop(name, paging.first)
        start = (_number(name, page, least=paging.first) - paging.first) * size
    elif paging.style == "offset":
        name = paging.offset_parameter
        offset = in_path["offset"] if "offset" in in_path else left.pop(name, 0)
        start = _number(name, offset, least=0)
    else:
        name = paging.cursor_parameter if paging.style == "cursor" else POSITION
        start = _from_cursor(in_path["cursor"] if "cursor" in in_path else left.pop(name, ""), scope)
    _nothing_else(left)
    return Part(start, size)


def cursor(scope: str, start: int) -> str:
    """A position in the list as it is now: rows that come and go before it move what it points at."""
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
    raise Refused(400, "the cursor is none that this list has given")


def _number(name: str, value: Json, *, least: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise Refused(400, f"the parameter {name} must be a whole number") from None
    if number < least:
        raise Refused(400, f"the parameter {name} must be {least} or more")
    return number


def _nothing_else(left: dict[str, Json]) -> None:
    if left:
        raise Refused(400, f"unknown parameter {min(left)}")
