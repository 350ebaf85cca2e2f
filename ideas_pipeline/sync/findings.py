"""Findings: what an operator should know about a stream's tables, each with its meaning and what to do.

Only this module, ``list_findings``, ``value_findings`` and ``community_findings`` put them into words:
``ideas-pipeline status`` prints them, an asset check of Dagster passes if no finding has the check's name,
and alerts send the errors among them. So the three always agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync.drift import suggested_lines
from ideas_pipeline.sync.finding import Finding, listed
from ideas_pipeline.sync.list_findings import (
    always_empty,
    completeness,
    contradicting_lists,
    declaration_of,
    declared_numbers,
    hidden_changes,
    late_verification,
    mass_absence,
)
from ideas_pipeline.sync.value_findings import (
    called_deleted,
    odd_times,
    rejects,
    unknown_words,
    unmapped_fields,
    vanished_fields,
    volume,
)
from ideas_pipeline.warehouse import quality
from ideas_pipeline.warehouse.counts import arrivals
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.fields import fields


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the settings promise.

    Attributes:
        timezone: the time zone of its days and nights.
        verify_days: nights within which every scope is read again.
        stale_hours: hours, on the clocks of ``timezone``, within which every stream must be complete once.
    """

    timezone: str
    verify_days: int
    stale_hours: float


def checks(contract: Contract, stream: str) -> dict[str, str]:
    """The codes that a stream can have a finding for, each with what is so if there is none."""
    each = contract.streams[stream].each
    found = {
        "completeness": "Every scope was read and is complete.",
        "mass_absence": "No absent row is held for an operator's decision.",
        "rejects": "Every record and every value could be typed.",
        "times": "No time is before 1995 or after tomorrow.",
        "unmapped_fields": "The API sends no new field without a column, and none that says that a row is deleted.",
        "unknown_values": "Statuses and types have known values.",
        "vanished_fields": "The API still sends every field that it sent before.",
        "volume": "As many new rows came as in other nights.",
    }
    if each and each.changed_when:
        found["hidden_changes"] = "No scope had changed without its parent showing it."
        found["verification"] = "Every scope was verified within the promised number of nights."
    if declaration_of(contract, stream):
        found["declared_counts"] = "There are as many rows as their parents declare."
    if each and contract.streams[stream].reads == "list":
        found["contradictions"] = "No list contradicts another, or the count that its parent declares."
    return found | {REFERENCES: "Every row that a row is part of, or names, exists."}


REFERENCES = "referential_integrity"


def stream_findings(
    tx: Transaction, contract: Contract, stream: str, expected: Expectations, now: datetime
) -> list[Finding]:
    """The findings about one stream and its embedded tables, without those about references to other tables.

    Args:
        tx: a transaction that reads.
        contract: says what the stream's scopes, parents and fields are.
        stream: the stream.
        expected: what the settings promise.
        now: timezone-aware.

    Returns:
        At most one finding per code (see ``checks``). Raises WarehouseError.
    """
    tables = [stream, *contract.streams[stream].embedded]
    known = fields(tx, tables)
    lines = suggested_lines(contract, known)
    last = quality.last_run(tx, stream)
    held = mass_absence(tx, stream, tables)
    complete = completeness(last, contract, stream, held=bool(held))
    found = [
        complete if complete.severity == "error" else always_empty(tx, contract, stream) or complete,
        held,
        rejects(tx, stream, tables),
        odd_times(tx, stream, tables, now),
        called_deleted(tx, contract, stream, known) or unmapped_fields(known, lines, stream, now),
        unknown_words(tx, stream, tables),
        vanished_fields(known, lines, contract, stream),
        volume(stream, list(arrivals(tx, stream, expected.timezone, now).values())),
        hidden_changes(last, contract, stream, expected.verify_days),
        late_verification(tx, contract, stream, expected.verify_days, now),
        declared_numbers(tx, contract, stream, is_complete=complete.severity != "error"),
        contradicting_lists(tx, contract, stream),
    ]
    return [finding for finding in found if finding]


def reference_findings(tx: Transaction, contract: Contract, stream: str) -> list[Finding]:
    """The finding about the stream's rows that are part of, or name, a row that does not exist, if there are any.

    It is true once the tables that they name (``referenced_streams``) are synced, too. Raises WarehouseError.
    """
    broken = quality.broken_references(tx, [stream, *contract.streams[stream].embedded])
    if not broken:
        return []
    found = {f"{b.table}.{b.column} → {b.target}": b.rows for b in broken}
    alike = sum(quality.written_otherwise(tx, b) for b in broken)
    spelled = f" Ids that differ from a row's only in letter case or blanks: {alike:,} or more." if alike else ""
    report = " Ids must be written alike in all lists: report it to the vendor." if alike else ""
    return [
        Finding(
            REFERENCES,
            stream,
            "warning",
            f"References without a row: {listed(found)}.{spelled}",
            "A query that joins these tables leaves such rows out, so its totals are lower than those of one table.",
            "Sync the tables that they name; if it stays, the API's account may not see those rows: check its rights."
            f"{report}",
            found,
            is_doubt=True,
        )
    ]


def referenced_streams(contract: Contract, stream: str) -> set[str]:
    """The other streams whose rows the stream's rows name."""
    filled = contract.tables()
    named = quality.referenced([stream, *contract.streams[stream].embedded])
    return {filled[table] for table in named if table in filled} - {stream}
