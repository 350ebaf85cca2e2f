"""Checks that notice when the API sends something else than before: fields, values, types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.failures import SHOWN, WARN, failed, listed, passed
from ideas_pipeline.sync.drift import suggested_lines
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.fields import EXTRA, Field, fields, unknown_values
from ideas_pipeline.warehouse.quality import reject_reasons
from ideas_pipeline.warehouse.rejects import live_and_rejected

# A field is news for so long; after that it is known.
_NEWS = timedelta(days=14)

# More rejects than this are no odd records: something has changed at the source.
_TOLERATED_REJECTS = 10
_TOLERATED_PERCENT = 1


def drift_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec("rejects", asset=key, description="No record waits because it could not be read."),
        dg.AssetCheckSpec("unmapped_fields", asset=key, description="The API sends no new field without a column."),
        dg.AssetCheckSpec("unknown_values", asset=key, description="Statuses and types have values that are known."),
        dg.AssetCheckSpec("vanished_fields", asset=key, description="The API still sends every field that it sent."),
    ]


def drift_results(tx: Transaction, contract: Contract, stream: str) -> Iterator[dg.AssetCheckResult]:
    """What came of ``drift_check_specs`` for ``stream`` and its embedded tables."""
    tables = [stream, *contract.streams[stream].embedded]
    known = fields(tx, tables)
    lines = suggested_lines(contract, known)
    yield _rejects(tx, tables)
    yield _unmapped_fields(known, lines)
    yield _unknown_values(tx, tables)
    yield _vanished_fields(known, lines, contract, stream)


def _rejects(tx: Transaction, tables: list[str]) -> dg.AssetCheckResult:
    reasons = reject_reasons(tx, tables)
    if not reasons:
        return passed("rejects", "Every record could be read.", rejects=0)
    total = sum(reasons.values())
    what = (
        f"{total:,} records could not be read: {listed(reasons)}. Those that are new are in no table, so counts are "
        "too low by them; rows that were there before are as old as their last good reading. "
    )
    mend = (
        "`ideas-pipeline rejects list` names them; correct the contract's fields, then `ideas-pipeline rejects retry` "
        "or the next sync loads them."
    )
    many = [
        f"{rejected:,} of {live + rejected:,} in {table}"
        for table, (live, rejected) in live_and_rejected(tx, tables).items()
        if rejected >= _TOLERATED_REJECTS and rejected * 100 > (live + rejected) * _TOLERATED_PERCENT
    ]
    if not many:
        return failed("rejects", what + mend, severity=WARN, rejects=total)
    why = (
        f"These are too many to be odd records ({'; '.join(many)}; {_TOLERATED_PERCENT} % is tolerated): "
        "a field's type has changed at the source. "
    )
    return failed("rejects", what + why + mend, rejects=total)


def _unmapped_fields(known: list[Field], lines: dict[tuple[str, str], str]) -> dg.AssetCheckResult:
    unmapped = [f for f in known if not f.is_mapped and not f.missing_since]
    new = [f for f in unmapped if _is_news(f, known)]
    if not new:
        what = "The API sends no new field."
        if unmapped:
            what += f" Fields without a column, kept in _extra: {_names(unmapped)}."
        return passed("unmapped_fields", what, unmapped=len(unmapped))
    return failed(
        "unmapped_fields",
        f"New from the API, and kept in _extra as the contract does not map it: {_names(new)}. Nothing is lost. "
        f"{_advice([line for (table, _), line in lines.items() if table in {f.table for f in new}])}"
        "Where you need a column, map it to one that the table has; otherwise read it from _extra. "
        f"This is said for {_NEWS.days} days.",
        severity=WARN,
        unmapped=len(unmapped),
        new=len(new),
    )


def _unknown_values(tx: Transaction, tables: list[str]) -> dg.AssetCheckResult:
    unknown = unknown_values(tx, tables)
    if not unknown:
        return passed("unknown_values", "Every status and type is one that is known.", unknown=0)
    shown = "; ".join(f"{column}: {listed(values)}" for column, values in unknown.items())
    return failed(
        "unknown_values",
        f"Values that nobody knew, loaded as they came: {shown}. A query that lists the known values leaves these rows "
        "out. Look up what they mean in the community, and add them to such queries.",
        severity=WARN,
        unknown=sum(count for values in unknown.values() for count in values.values()),
    )


def _vanished_fields(
    known: list[Field], lines: dict[tuple[str, str], str], contract: Contract, stream: str
) -> dg.AssetCheckResult:
    spec = contract.streams[stream]
    mapped = {stream: spec.fields, **{table: embedded.fields for table, embedded in spec.embedded.items()}}
    vanished = [f for f in known if f.is_mapped and f.missing_since and f.field in mapped[f.table]]
    if not vanished:
        return passed("vanished_fields", "The API still sends every field that it sent before.", vanished=0)
    needed = sorted(_relied_on(contract, stream) & {f"{f.table}.{f.field}" for f in vanished})
    shown = [f"{f.table}.{f.field} (since {f.missing_since:%Y-%m-%d})" for f in vanished[:SHOWN]]
    names = ", ".join(shown) + (" …" if len(vanished) > SHOWN else "")
    advice = _advice([line for column, line in lines.items() if column in {(f.table, f.field) for f in vanished}])
    return failed(
        "vanished_fields",
        f"No record has these fields any more, which was otherwise before: {names}. This is not taken for an empty "
        "value: rows keep what they had, which gets old, and new rows have nothing there. "
        + (f"The sync itself relies on {', '.join(needed)}: it may miss what changes. " if needed else "")
        + f"Run `ideas-pipeline check`. {advice}Where the field is gone for good, set it to null in the contract: the "
        "column is then emptied.",
        severity=dg.AssetCheckSeverity.ERROR if needed else WARN,
        vanished=len(vanished),
    )


def _relied_on(contract: Contract, stream: str) -> set[str]:
    """The columns of the stream, as ``table.column``, by which a sync finds lists and what changed in them."""
    spec = contract.streams[stream]
    columns = {f"{stream}.{name}" for name in (*spec.key, spec.cursor)}
    columns |= {f"{stream}.{bound.column}" for bound in (spec.since, spec.until) if bound}
    own = {stream, *spec.embedded}
    for each in [other.each for other in contract.streams.values() if other.each]:
        for source in each.of:
            table = source.split(".")[0]
            if table in own:
                columns |= {source, *(f"{table}.{name}" for name in each.changed_when)}
    return columns


def _is_news(field: Field, known: list[Field]) -> bool:
    """Whether the field came after the table's first reading, and not long ago."""
    first = min(f.first_seen_at for f in known if f.table == field.table)
    return field.first_seen_at > first and datetime.now(UTC) - field.first_seen_at < _NEWS


def _names(found: list[Field]) -> str:
    shown = [f"{f.table}: {f.field.removeprefix(EXTRA)} ({', '.join(sorted(f.kinds)) or 'null'})" for f in found]
    return ", ".join(shown[:SHOWN]) + (" …" if len(found) > SHOWN else "")


def _advice(lines: list[str]) -> str:
    return f"A line for the contract that seems to be meant: {' | '.join(lines[:SHOWN])} . " if lines else ""
