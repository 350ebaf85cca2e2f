"""Findings about fields and values: rejects, odd times, new, unknown and vanished ones, and how many rows came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.deleted import says_deleted
from ideas_pipeline.probe.deleted import DELETED_WORDS, REMOVED, may_flag
from ideas_pipeline.sync.finding import SHOWN, Finding, listed
from ideas_pipeline.tables.columns import known_values
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import EARLIEST
from ideas_pipeline.warehouse import quality
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.fields import EXTRA, Field, unknown_values
from ideas_pipeline.warehouse.rejects import live_and_rejected

# Columns by which rows are recognised, and which say nothing else.
_KEYS = {"id", "challenge_id", "idea_id"}
# A new field is a finding for this long.
_NEWS = timedelta(days=14)
# More rejects than this are not odd records: a field's type has changed at the source.
_TOLERATED_REJECTS = 10
_TOLERATED_PERCENT = 1
# A week contains every weekday, so that a weekend is not unusual.
_FEWEST_NIGHTS = 7
# A night is unusual if it has this many times the rows of the others (or that small a part of them), and this many rows
# more or less.
_TIMES = 3
_LEAST_ROWS = 30


def rejects(tx: Transaction, stream: str, tables: list[str]) -> Finding | None:
    """The rejected records and values of the tables; None if there are none."""
    reasons = quality.reject_reasons(tx, tables)
    if not reasons:
        return None
    found = live_and_rejected(tx, tables)
    records, values = sum(of.records for of in found.values()), sum(of.values for of in found.values())
    many = [
        f"{count:,} {what} of {of.live + of.records:,} rows in {table}"
        for table, of in found.items()
        for count, what in ((of.records, "records"), (of.values, "values"))
        if count >= _TOLERATED_REJECTS and count * 100 > (of.live + of.records) * _TOLERATED_PERCENT
    ]
    why = (
        f" Too many to be odd ones ({'; '.join(many)}; {_TOLERATED_PERCENT} % is tolerated): a field's type has "
        "changed at the source."
    )
    what = [f"rejected records: {records:,}"] if records else []
    what += [f"values that could not be typed: {values:,}"] if values else []
    means = (
        "The records are in no table: a count of rows can be too low. While a record without a usable id is listed, no "
        "row of its list is marked as deleted."
        if records
        else ""
    )
    means += " The rows of the values are loaded, with null there." if values else ""
    sentence = "; ".join(what)
    return Finding(
        "rejects",
        stream,
        "error" if many else "warning",
        f"{sentence[0].upper()}{sentence[1:]} ({listed(reasons)}).{why if many else ''}",
        means.strip(),
        "See `ideas-pipeline rejects list`; correct the contract's fields, then run `ideas-pipeline rejects retry`.",
        {"rejects": records, "rejected_values": values},
        is_doubt=True,
    )


def odd_times(tx: Transaction, stream: str, tables: list[str], now: datetime) -> Finding | None:
    """The times of the tables that cannot be true; None if there are none. ``now``: timezone-aware."""
    odd = quality.odd_times(tx, tables, now)
    if not odd:
        return None
    table, _, column = next(iter(odd)).partition(".")
    return Finding(
        "times",
        stream,
        "warning",
        f"Times that cannot be true, before {EARLIEST.year} or after tomorrow: {sum(odd.values()):,}: {listed(odd)}.",
        "They stay in their rows. The marts leave them out: what happened then counts at the time when it was first "
        "seen.",
        "Look at such rows with the query that comes with this finding. If such a time means that there is none, add "
        "it to no_times in the contract; if it is in another unit or zone, set epoch or timezone there.",
        odd,
        quality.rows_with_odd_times(tx.community, table, column, now),
    )


def called_deleted(tx: Transaction, contract: Contract, stream: str, known: list[Field]) -> Finding | None:
    """The live rows whose record says that it is deleted, by a field that is not read; None if there are none.

    Args:
        tx: a transaction that reads.
        contract: says which fields are read.
        stream: the stream.
        known: the fields of the stream's tables.
    """
    spec = contract.streams[stream]
    if spec.deleted:
        return None
    names = [f.field.removeprefix(EXTRA) for f in known if f.table == stream and not f.is_mapped and f.kinds]
    stated = {name: quality.values_in_extra(tx, stream, name) for name in names if may_flag(name)}
    status = TABLES[stream].c.get("status")
    if status is not None and "status" in spec.fields and not {"deleted", REMOVED} & set(known_values(status)):
        path = spec.fields["status"].paths[0]
        stated[path] = quality.values_in(tx, stream, "status", [*DELETED_WORDS, REMOVED])
    found = {
        name: deleted
        for name, values in stated.items()
        if (deleted := sum(count for value, count in values.items() if says_deleted(value, contract.no_times)))
        and REMOVED not in {str(value).casefold() for value in values}
    }
    if not found:
        return None
    return Finding(
        "unmapped_fields",
        stream,
        "warning",
        f"Live rows of {stream} whose records say that they are deleted, by a field that is not read: {listed(found)}.",
        "They count as live.",
        f"Add to the contract: streams: {{{stream}: {{deleted: [{', '.join(found)}]}}}}, then run `ideas-pipeline sync "
        "--full`.",
        found,
        is_doubt=True,
    )


def unmapped_fields(
    known: list[Field], lines: dict[tuple[str, str], str], stream: str, now: datetime
) -> Finding | None:
    """The fields without a column, new ones first; None if there are none.

    Args:
        known: the fields of the stream's tables.
        lines: by table and column, the contract line that seems to fit.
        stream: the stream.
        now: timezone-aware.
    """
    unmapped = [f for f in known if not f.is_mapped and not f.missing_since]
    new = [f for f in unmapped if _is_news(f, known, now)]
    numbers = {"unmapped": len(unmapped), "new": len(new)}
    if unmapped and not any(f.is_mapped and f.kinds and f.field not in _KEYS for f in known if f.table == stream):
        return Finding(
            "unmapped_fields",
            stream,
            "error",
            f"The contract maps no field of {stream} but ids. Fields that the API sends: {_names(unmapped)}.",
            "All other columns of the table are empty.",
            "Run `ideas-pipeline fit`, or `ideas-pipeline check` for the lines of the contract that map them; then "
            "`ideas-pipeline sync --full`.",
            numbers,
        )
    if not new:
        what = f"No new field. Fields without a column, kept in _extra: {_names(unmapped)}."
        return Finding("unmapped_fields", stream, "note", what, numbers=numbers) if unmapped else None
    advice = _advice([line for (table, _), line in lines.items() if table in {f.table for f in new}])
    return Finding(
        "unmapped_fields",
        stream,
        "warning",
        f"New fields that the contract does not map: {_names(new)}.",
        f"They are kept in _extra, so nothing is lost. This finding lasts {_NEWS.days} days.",
        f"{advice}Map a field in the contract if you need a column for it; otherwise read it from _extra.",
        numbers,
    )


def unknown_words(tx: Transaction, stream: str, tables: list[str]) -> Finding | None:
    """The values of the tables that are not among the known ones of their columns; None if there are none."""
    unknown = unknown_values(tx, tables)
    if not unknown:
        return None
    shown = "; ".join(f"{column}: {listed(values)}" for column, values in unknown.items())
    return Finding(
        "unknown_values",
        stream,
        "warning",
        f"Unknown values, loaded as they came: {shown}.",
        "A query that lists the known values leaves these rows out. The marts count them, even if such a word means "
        "that an idea or a comment was removed, or that a person is banned.",
        "Look up what they mean in the community, and add them to such queries.",
        {"unknown": sum(count for values in unknown.values() for count in values.values())},
    )


def vanished_fields(
    known: list[Field], lines: dict[tuple[str, str], str], contract: Contract, stream: str
) -> Finding | None:
    """The mapped fields that are in no record any more; None if there are none. See ``unmapped_fields``."""
    spec = contract.streams[stream]
    mapped = {stream: spec.fields, **{table: embedded.fields for table, embedded in spec.embedded.items()}}
    vanished = [f for f in known if f.is_mapped and f.missing_since and f.field in mapped[f.table]]
    if not vanished:
        return None
    needed = sorted(_relied_on(contract, stream) & {f"{f.table}.{f.field}" for f in vanished})
    shown = [f"{f.table}.{f.field} (since {f.missing_since:%Y-%m-%d})" for f in vanished[:SHOWN]]
    more = " …" if len(vanished) > SHOWN else ""
    relies = f" The sync itself relies on {', '.join(needed)}: it may miss what changes." if needed else ""
    advice = _advice([line for column, line in lines.items() if column in {(f.table, f.field) for f in vanished}])
    return Finding(
        "vanished_fields",
        stream,
        "error" if needed else "warning",
        f"Fields that are in no record any more: {', '.join(shown)}{more}.{relies}",
        "They are not taken for empty values: rows keep the values that they had, and new rows have none.",
        f"Run `ideas-pipeline check`. {advice}If the API no longer has the field, set it to null in the contract: the "
        "column is then emptied.",
        {"vanished": len(vanished)},
    )


def volume(stream: str, nights: Sequence[float]) -> Finding:
    """``nights``: new rows per day that each night of the last weeks brought; the last one is judged."""
    past = sorted(nights[:-1])
    if len(past) < _FEWEST_NIGHTS:
        what = f"Too few complete nights to compare with: {len(past)} of {_FEWEST_NIGHTS}."
        return Finding("volume", stream, "note", what, numbers={"nights": len(past)})
    tonight = nights[-1]
    # A few odd nights among the earlier ones, such as an import, change nothing.
    odd = len(past) // 10
    low, high = past[odd], past[-1 - odd]
    usual = f"{tonight:,.0f} new rows a day; other nights had {low:,.0f} to {high:,.0f}"
    numbers = {"new_rows_a_day": round(tonight), "usual_least": round(low), "usual_most": round(high)}
    lasts = "After a few such nights this counts as usual."
    if tonight * _TIMES < low and low - tonight >= _LEAST_ROWS:
        return Finding(
            "volume",
            stream,
            "warning",
            f"Far less came than usual: {usual}.",
            "Every scope that was read is complete, so either people were quiet (a holiday, a closed challenge), or "
            "the API no longer shows all rows: numbers of these days are then too low.",
            f"Look at the community itself and run `ideas-pipeline check`. {lasts}",
            numbers,
        )
    if tonight > high * _TIMES and tonight - high >= _LEAST_ROWS:
        return Finding(
            "volume",
            stream,
            "warning",
            f"Far more came than usual: {usual}.",
            "The sync is complete. A campaign, an import or spam can be the cause, and shows in the activity of these "
            "days.",
            f"Look at the newest rows of {stream} (`_first_seen_at`). {lasts}",
            numbers,
        )
    return Finding("volume", stream, "note", f"As usual: {usual}.", numbers=numbers)


def _relied_on(contract: Contract, stream: str) -> set[str]:
    """The stream's columns, as ``table.column``, by which a sync finds scopes and what changed in them."""
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


def _is_news(one: Field, known: Iterable[Field], now: datetime) -> bool:
    """Whether a field appeared after the first sync of its table, and not long ago."""
    first = min(f.first_seen_at for f in known if f.table == one.table)
    return one.first_seen_at > first and now - one.first_seen_at < _NEWS


def _names(found: list[Field]) -> str:
    shown = [f"{f.table}: {f.field.removeprefix(EXTRA)} ({', '.join(sorted(f.kinds)) or 'null'})" for f in found]
    return ", ".join(shown[:SHOWN]) + (" …" if len(found) > SHOWN else "")


def _advice(lines: list[str]) -> str:
    return f"A line for the contract that seems to fit: {' | '.join(lines[:SHOWN])} . " if lines else ""
