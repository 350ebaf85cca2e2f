"""Metadata of a materialization: the counts of the sync, its incomplete scopes and rejects, a preview of the table."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Sequence

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.composite_ids import names_people
from ideas_pipeline.sync.run import StreamResult
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.text import counted
from ideas_pipeline.visible import unlinked, visible
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.quality import incomplete_scopes, reject_reasons
from ideas_pipeline.warehouse.scopes import live_counts

_SHOWN = 10
_SCOPE = ("scope", "reason", "declared by its parent", "total by the API", "records read")

_SECONDS = 60.0

_LONGEST = 120
# What Markdown with GitHub's tables (https://github.github.com/gfm/) does not read as text.
_MARKDOWN = re.compile(r"[\\`*_~|<>&\[\]]")

_PREVIEW_ROWS = 5
_PREVIEW_COLUMNS = 8


def counts(result: StreamResult) -> dict[str, dg.MetadataValue]:
    """The verdict, the reason and the counts of a sync, under their names in ``_sync_streams``."""
    return {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.text(visible(value))
        for name, value in result.shown().items()
        if name != "stream" and value is not None
    }


def loaded(tx: Transaction, stream: str, *, made_id: bool) -> dict[str, dg.MetadataValue]:
    """The number of live rows, and the first of them. ``made_id``: whether the id is a composite of other columns."""
    rows = sum(live_counts(tx, stream).values())
    # A composite id can contain a person's id.
    hidden = ["id"] if made_id else []
    shown = preview(tx, TABLES[stream], without=hidden, most=_PREVIEW_COLUMNS)
    return {"dagster/row_count": dg.MetadataValue.int(rows), **shown}


def preview(
    tx: Transaction, table: sa.Table, *, without: Collection[str] = (), most: int | None = None
) -> dict[str, dg.MetadataValue]:
    """The first live rows by key, without personal data; nothing if each row is a person.

    Dagster keeps metadata, where an erasure cannot reach it.

    Args:
        tx: a transaction that reads.
        table: the table to preview.
        without: columns to leave out, beside those with personal data.
        most: the number of columns to show; None shows all.
    """
    keys = table.primary_key.columns
    if any(pii(key) for key in keys):
        return {}
    left_out = {"community", *without}
    shown = [c for c in table.columns if c.name not in left_out and not c.name.startswith("_") and pii(c) is None]
    shown = shown[:most]
    there = tx.live(table) if "_deleted_at" in table.c else tx.owns(table)
    rows = tx.execute(sa.select(*shown).where(there).order_by(*keys).limit(_PREVIEW_ROWS)).all()
    return {"preview": dg.MetadataValue.md(as_table([c.name for c in shown], rows))}


def as_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table. Values are text, whatever is in them; long ones are cut."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_query(sql: str) -> str:
    """SQL as a block of Markdown."""
    return f"```sql\n{sql}\n```"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = " ".join(str(value).split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return _MARKDOWN.sub(r"\\\g<0>", unlinked(visible(text)))


class LoggedProgress:
    """Log the progress of a stream, at most once a minute (see ``sync.run.Progress``)."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._scopes = self._done = self._rows = 0
        self._logged_at = 0.0

    def waiting(self, reason: str) -> None:
        self._log.info(visible(reason))

    def noted(self, sentence: str) -> None:
        self._log.info(visible(sentence))

    def stream_started(self, stream: str, scopes: int) -> None:
        self._scopes, self._logged_at = scopes, time.monotonic()
        self._log.info(f"{stream}: {counted(scopes, 'scope')} to read.")

    def scope_done(self, stream: str, rows: int, requests: int) -> None:
        self._done += 1
        self._rows += rows
        if time.monotonic() - self._logged_at >= _SECONDS:
            self._logged_at = time.monotonic()
            self._log.info(
                f"{stream}: {self._done:,} of {counted(self._scopes, 'scope')} read, {counted(self._rows, 'record')}."
            )

    def stream_finished(self, result: StreamResult) -> None:
        counts = result.counts
        seen, requests = counted(counts.seen, "record"), counted(counts.requests, "request")
        self._log.info(f"{result.stream}: {result.verdict}, {seen} in {requests}.")


def details(tx: Transaction, contract: Contract, stream: str, run_id: str) -> dict[str, dg.MetadataValue]:
    """The run's incomplete scopes and the stream's rejects, each with a query that lists them, if there are any."""
    shown: dict[str, dg.MetadataValue] = {}
    scopes = incomplete_scopes(tx, stream, run_id)
    if scopes:
        named = [] if names_people(contract, stream) else scopes[:_SHOWN]
        rows = [(one.scope, one.reason, one.declared, one.total, one.seen) for one in named]
        which = f"stream = '{stream}' AND run_id = '{run_id}' AND verdict = 'incomplete'"
        query = _query("scope, reason, declared, total_last, seen", "_sync_scopes", tx.community, which)
        shown["incomplete scopes"] = _shown(counted(len(scopes), "scope"), _SCOPE, rows, query)
    tables = [stream, *contract.streams[stream].embedded]
    reasons = reject_reasons(tx, tables)
    if reasons:
        names = ", ".join(f"'{table}'" for table in tables)
        query = _query(
            "table_name, record_key, column_name, reason", "_rejected_records", tx.community, f"table_name IN ({names})"
        )
        shown["rejects"] = _shown(
            f"{counted(sum(reasons.values()), 'reject')} (also in `ideas-pipeline rejects list`)",
            ("reason", "rejects"),
            list(reasons.items())[:_SHOWN],
            query,
        )
    return shown


def _query(columns: str, table: str, community: str, which: str) -> str:
    """SQL for a person to run. It contains only names and ids of the pipeline, nothing that the API sent."""
    where = f"community = '{community}' AND {which}"
    return f"SELECT {columns} FROM {table}\nWHERE {where};"  # noqa: S608  # only shown, never executed


def _shown(what: str, head: Sequence[str], rows: Sequence[Sequence[object]], query: str) -> dg.MetadataValue:
    some = [as_table(head, rows)] if rows else []
    return dg.MetadataValue.md("\n\n".join([f"{what}. All of them:", as_query(query), *some]))
