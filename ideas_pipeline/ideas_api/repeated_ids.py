"""Distinguish records of one page that have the same id, so that none takes the place of another."""

from __future__ import annotations

from collections.abc import Sequence

from ideas_pipeline.contract.model import Stream
from ideas_pipeline.ideas_api.composite_ids import is_anonymous, numbered, state_of
from ideas_pipeline.ideas_api.field_map import Record


def tell_apart(records: Sequence[Record], spec: Stream) -> None:
    """Tell records with one id apart, in place.

    A page is read at one instant, so it holds no record twice because the list moved. Records whose person is unknown
    are numbered, in the order of their content. Others get their ``state``, if their content differs.

    Args:
        records: the records of one page.
        spec: their stream.
    """
    ids = [str(record.columns.get("id")) for record in records]
    if len(set(ids)) == len(ids):
        return
    by_id: dict[str, list[Record]] = {}
    for id_, record in zip(ids, records, strict=True):
        by_id.setdefault(id_, []).append(record)
    for id_, same in by_id.items():
        if len(same) == 1:
            continue
        if is_anonymous(id_):
            _number(sorted(same, key=lambda record: record.state or ""), id_, spec)
        elif same[0].columns.get("id") is not None and same[0].state is None:
            states = [state_of(record.columns, record.extra, spec.volatile) for record in same]
            for record, state in zip(same, states, strict=True):
                record.state = state if len(set(states)) > 1 else None


def _number(records: Sequence[Record], id_: str, spec: Stream) -> None:
    for number, record in enumerate(records, start=1):
        record.columns["id"] = numbered(id_, number)
        for table, rows in record.embedded.items():
            for row in rows:
                row.columns[spec.embedded[table].parent_key] = record.columns["id"]
