"""Typing of rows, and reading of the results, for the tests of ``records``."""

from __future__ import annotations

from typing import Any

from ideas_pipeline.records.time_format import TimeFormat
from ideas_pipeline.records.typed import SourceFormat, Typed, typed
from ideas_pipeline.tables.community import TABLES


def typed_rows(table: str, *rows: dict[str, Any], timezone: str = "UTC", **source: Any) -> Typed:
    """Type ``rows`` with ``source`` as their SourceFormat; ``_extra`` has a row's unmapped fields, its scope is "7"."""
    source.setdefault("time", TimeFormat(timezone))
    extras = [row.get("_extra", {}) for row in rows]
    columns = [{name: value for name, value in row.items() if name != "_extra"} for row in rows]
    return typed(TABLES[table], columns, extras, ["7"] * len(rows), SourceFormat(**source))


def loaded(result: Typed) -> list[dict[str, Any]]:
    """The frame's rows, null as None."""
    rows: list[dict[str, Any]] = result.frame.astype(object).where(result.frame.notna(), None).to_dict("records")
    return rows


def value(column: str, given: Any, table: str = "ideas", **options: Any) -> Any:
    """What ``given`` becomes in ``column``; the reason if it is rejected."""
    result = typed_rows(table, {"id": "1", column: given}, **options)
    [row] = loaded(result)
    if not result.rejects:
        return row[column]
    [reject] = result.rejects
    assert (reject.column, row[column]) == (column, None)
    return reject.reason
