"""A walk through the live API, step by step: is it as the contract says, and if not, what would make it so?

Few requests, reads only. Findings hold names, kinds of values and counts; never a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.probe.access import check_access
from ideas_pipeline.probe.step import Step
from ideas_pipeline.probe.stream import check_stream

_Seen = dict[str, list[dict[str, Json]]]


def check(contract: Contract, connect: Callable[[Contract], IdeasApi]) -> Iterator[Step]:
    """The findings of every step, as they come: host, login, header, validation, refresh, then each stream.

    ``connect`` makes a client for a contract: a few addresses that the vendor does not publish are tried out.
    A step that fails says why; those that need it are skipped. Raises no IdeasApiError.
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
    seen: _Seen = {}
    unread: set[str] = set()
    for stream in contract.order():
        each = contract.streams[stream].each
        scopes = _scopes(contract, stream, seen) if each else [""]
        if scopes:
            step, records = check_stream(api, stream, scopes)
            _remember(seen, stream, records)
        else:
            step = Step(stream)
            sources = ", ".join(each.of) if each else ""
            if missing := contract.depends_on(stream) & unread:
                step.skip(f"it needs {sources}, and {' and '.join(sorted(missing))} could not be read")
            else:
                step.skip(f"it needs {sources}, and none was seen")
        if step.verdict in ("failed", "skipped"):
            unread.add(stream)
        yield step


def _remember(seen: _Seen, stream: str, records: list[Record]) -> None:
    for record in records:
        seen.setdefault(stream, []).append(record.columns)
        for table, rows in record.embedded.items():
            seen.setdefault(table, []).extend(row.columns for row in rows)


def _scopes(contract: Contract, stream: str, seen: _Seen) -> list[str]:
    """The lists that the API itself just named, those first that it declares to be long."""
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


def _number(value: Json) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 19 else 0
