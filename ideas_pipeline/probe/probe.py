"""Check the live API step by step: what differs from the contract, and which contract lines would fix it.

A few requests, reads only. Findings contain names, kinds of values and counts, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.probe.access import check_access
from ideas_pipeline.probe.step import Size, Step
from ideas_pipeline.probe.stream import check_stream

Seen = dict[str, list[dict[str, Json]]]


def check(contract: Contract, connect: Callable[[Contract], IdeasApi]) -> Iterator[Step]:
    """Check host, login, header, validation and refresh, then each stream.

    Args:
        contract: the contract to compare.
        connect: creates a client for a contract. A few paths that the vendor does not publish are tried out.

    Yields:
        The findings of each step. A step that fails says why, and the steps that require it are skipped. No
        IdeasApiError is raised.
    """
    api: IdeasApi | None = None
    for step, usable in check_access(contract, connect):
        api = usable or api
        yield step
    if api is None:
        for stream in contract.order():
            step = Step(stream)
            step.skip("the API cannot be used yet")
            yield step
        return
    yield from _streams(contract, api)


def _streams(contract: Contract, api: IdeasApi) -> Iterator[Step]:
    seen: Seen = {}
    unread: set[str] = set()
    sizes: dict[str, Size] = {}
    for stream in contract.order():
        each = contract.streams[stream].each
        scopes = scopes_of(contract, stream, seen) if each else [""]
        if scopes:
            step, records = check_stream(api, stream, scopes, _uncounted(contract, stream, seen))
            remember(seen, stream, records)
            step.size = size_of(contract, stream, step.first_list, seen, sizes)
            if step.size:
                sizes[stream] = step.size
        else:
            step = Step(stream)
            sources = ", ".join(each.of) if each else ""
            if missing := contract.depends_on(stream) & unread:
                step.skip(f"it requires {sources}, but {' and '.join(sorted(missing))} could not be read")
            else:
                step.skip(f"it requires {sources}, but no value was seen")
        if step.verdict in ("failed", "skipped"):
            unread.add(stream)
        yield step


def remember(seen: Seen, stream: str, records: list[Record]) -> None:
    """Add records, and the rows embedded in them, to what was seen of each table."""
    for record in records:
        seen.setdefault(stream, []).append(record.columns)
        for table, rows in record.embedded.items():
            seen.setdefault(table, []).extend(row.columns for row in rows)


def scopes_of(contract: Contract, stream: str, seen: Seen) -> list[str]:
    """The scopes that the API itself just named, those with the largest declared count first."""
    each = contract.streams[stream].each
    if each is None:
        return []
    found: dict[str, int] = {}
    for source in each.of:
        table, column = source.split(".")
        for row in seen.get(table, []):
            value = row.get(column)
            if isinstance(value, str | int) and not isinstance(value, bool):
                found.setdefault(str(value), _number(row.get(each.declared or "")))
    return sorted(found, key=lambda scope: -found[scope])


def _uncounted(contract: Contract, stream: str, seen: Seen) -> list[str]:
    """The scopes whose parents do not say how many records they have."""
    each = contract.streams[stream].each
    counted = set()
    if each and each.declared:
        for source in each.of:
            table, column = source.split(".")
            counted |= {str(row.get(column)) for row in seen.get(table, []) if row.get(each.declared) is not None}
    return [scope for scope in scopes_of(contract, stream, seen) if scope not in counted]


def size_of(
    contract: Contract, stream: str, first_list: int | None, seen: Seen, sizes: Mapping[str, Size]
) -> Size | None:
    """About how many lists and rows a stream has, from first pages.

    Args:
        contract: which rows name the stream's lists, and declare how long these are.
        stream: the stream.
        first_list: how many records the list that was read has; None if that is unknown.
        seen: the rows of the first pages.
        sizes: of the streams before this one.

    Returns:
        None if too little is known. Lists that were not seen are taken to be as long as those that were.
    """
    spec = contract.streams[stream]
    each = spec.each
    if each is None:
        return None if first_list is None else Size(1, first_list)
    filled = contract.tables()
    tables = [source.split(".")[0] for source in each.of]
    lists = 0.0
    for table in tables:
        parent = filled[table]
        if parent not in sizes or not seen.get(parent):
            return None
        lists += sizes[parent].lists * sizes[parent].rows * len(seen.get(table, [])) / len(seen[parent])
    if spec.reads == "one":
        return Size(lists, 1)
    rows = [row for table in tables for row in seen.get(table, [])]
    declared = [_number(row[each.declared]) for row in rows if each.declared and row.get(each.declared) is not None]
    if declared:
        return Size(lists, sum(declared) / len(declared))
    return None if first_list is None else Size(lists, first_list)


def _number(value: Json) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 19 else 0
