"""Findings: what an operator should know about a stream's tables, each with its meaning and what to do.

Only here and in ``community_findings`` are they put into words: ``ideas-pipeline status`` prints them, an asset check
of Dagster passes if there is no finding with the check's name, and alerts send the errors among them. So the three
always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.composite_ids import SELF_REFERENCES
from ideas_pipeline.sync.drift import suggested_lines
from ideas_pipeline.sync.homes import IGNORED, one_list
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import EARLIEST
from ideas_pipeline.warehouse import quality
from ideas_pipeline.warehouse.absences import contradicted
from ideas_pipeline.warehouse.counts import arrivals
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.fields import EXTRA, Field, fields, unknown_values
from ideas_pipeline.warehouse.rejects import live_and_rejected
from ideas_pipeline.warehouse.scopes import contradictions

Severity = Literal["error", "warning", "note"]

_SHOWN = 5
_SYNC = "Run `ideas-pipeline sync`"

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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an operator should know.

    Attributes:
        code: a stable short word; the name of the asset check, if it is about a stream.
        stream: the stream that it is about; None if it is about the community.
        severity: ``error`` fails a run and is alerted; ``warning`` is for a person, but not tonight; ``note`` is for
            information only, and its check passes.
        what: what happened.
        means: what that means for the numbers.
        do: what to do.
        numbers: the numbers behind it, by name.
        query: SQL that lists the rows concerned, for a person to run.
    """

    code: str
    stream: str | None
    severity: Severity
    what: str
    means: str = ""
    do: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    query: str | None = None

    @property
    def text(self) -> str:
        """What happened, what it means and what to do, as one paragraph."""
        return " ".join(part for part in (self.what, self.means, self.do) if part)


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the settings promise.

    Attributes:
        timezone: the time zone of its days and nights.
        verify_days: nights within which every scope is read again.
        stale_hours: hours within which every stream must be complete once.
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
        "unmapped_fields": "The API sends no new field without a column.",
        "unknown_values": "Statuses and types have known values.",
        "vanished_fields": "The API still sends every field that it sent before.",
        "volume": "As many new rows came as in other nights.",
    }
    if each and each.changed_when:
        found["hidden_changes"] = "No scope had changed without its parent showing it."
    if _declaration(contract, stream):
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
    held = _mass_absence(tx, stream, tables)
    found = [
        _completeness(last, contract, stream, held=bool(held)),
        held,
        _rejects(tx, stream, tables),
        _times(tx, stream, tables, now),
        _unmapped_fields(known, lines, stream, now),
        _unknown_values(tx, stream, tables),
        _vanished_fields(known, lines, contract, stream),
        _volume(stream, list(arrivals(tx, stream, expected.timezone, now).values())),
        _hidden_changes(last, contract, stream, expected.verify_days),
        _declared_counts(tx, contract, stream),
        _contradictions(tx, contract, stream),
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
    return [
        Finding(
            REFERENCES,
            stream,
            "warning",
            f"{sum(found.values()):,} references have no row: {_listed(found)}.",
            "A query that joins these tables leaves such rows out, so its totals are lower than those of one table.",
            "Sync the tables that they name; if it stays, the API's account may not see those rows: check its rights.",
            found,
        )
    ]


def referenced_streams(contract: Contract, stream: str) -> set[str]:
    """The other streams whose rows the stream's rows name."""
    filled = contract.tables()
    named = quality.referenced([stream, *contract.streams[stream].embedded])
    return {filled[table] for table in named if table in filled} - {stream}


def scopes_are_people(contract: Contract, stream: str) -> bool:
    """Whether a person's id names each scope of the stream: such ids do not belong into logs and messages."""
    each = contract.streams[stream].each
    sources = [source.split(".") for source in each.of] if each else []
    return any(pii(TABLES[table].c[column]) == "person_id" for table, column in sources)


def _completeness(last: quality.LastRun | None, contract: Contract, stream: str, *, held: bool) -> Finding:
    if last is None:
        return Finding("completeness", stream, "error", "Never synced.", "The table is empty.", f"{_SYNC}.")
    numbers = {"scopes": last.scopes, "complete": last.scopes_complete}
    if last.verdict == "complete":
        what = f"Scopes read and complete: {last.scopes:,}."
        if not last.disbelieved:
            return Finding("completeness", stream, "note", what, numbers=numbers)
        return Finding(
            "completeness",
            stream,
            "warning",
            f"{what} But {last.disbelieved}.",
            "Such lists are complete all the same; without a total it takes more requests to prove that.",
            f"Say that there is none: streams: {{{stream}: {{paging: {{total: null}}}}}}",
            numbers,
        )
    reason = (last.reason or "no reason was noted").rstrip(".")
    if last.verdict == "running":
        what = "The last sync did not end: it was killed, or is still running."
    elif last.verdict == "failed":
        what = f"The last sync failed: {reason}."
    else:
        what = f"The last sync is incomplete: {reason}. Complete: {last.scopes_complete:,} of {last.scopes:,} scopes."
    shown = [] if scopes_are_people(contract, stream) else [scope for scope in last.incomplete if scope][:_SHOWN]
    if shown:
        what += f" Scopes: {', '.join(shown)}{' …' if len(last.incomplete) > len(shown) else ''}."
    do = "Sync again (`ideas-pipeline sync`); if it stays, run `ideas-pipeline check`."
    if held and last.verdict == "incomplete" and last.scopes_complete == last.scopes:
        do = "Settle the held rows (see `mass_absence`)."
    return Finding(
        "completeness",
        stream,
        "error",
        what,
        "What was read is loaded. New rows can be missing, and deleted ones can still count.",
        do,
        numbers,
    )


def _mass_absence(tx: Transaction, stream: str, tables: list[str]) -> Finding | None:
    held = quality.held_absences(tx, tables)
    if not held:
        return None
    names = list(dict.fromkeys(table for table, _ in held))
    reasons = list(dict.fromkeys(because for _, because in held))
    more = f"; and {len(reasons) - _SHOWN:,} more reasons" if len(reasons) > _SHOWN else ""
    confirm = " and ".join(f"`ideas-pipeline absences confirm --stream {name}`" for name in names)
    rows = sum(held.values())
    return Finding(
        "mass_absence",
        stream,
        "error",
        f"{rows:,} rows of {', '.join(names)} are absent and held: {'; '.join(reasons[:_SHOWN])}{more}.",
        "Until this is settled, they count as live.",
        "See `ideas-pipeline absences list`. If the API's account lost rights, restore them and sync again. If the "
        f"rows are really deleted: {confirm}.",
        {"held": rows},
    )


def _rejects(tx: Transaction, stream: str, tables: list[str]) -> Finding | None:
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
    means = "The records are in no table: a count of rows can be too low." if records else ""
    means += " The rows of the values are loaded, with null there." if values else ""
    sentence = "; ".join(what)
    return Finding(
        "rejects",
        stream,
        "error" if many else "warning",
        f"{sentence[0].upper()}{sentence[1:]} ({_listed(reasons)}).{why if many else ''}",
        means.strip(),
        "See `ideas-pipeline rejects list`; correct the contract's fields, then run `ideas-pipeline rejects retry`.",
        {"rejects": records, "rejected_values": values},
    )


def _times(tx: Transaction, stream: str, tables: list[str], now: datetime) -> Finding | None:
    odd = quality.odd_times(tx, tables, now)
    if not odd:
        return None
    table, _, column = next(iter(odd)).partition(".")
    return Finding(
        "times",
        stream,
        "warning",
        f"Times that cannot be true, before {EARLIEST.year} or after tomorrow: {sum(odd.values()):,}: {_listed(odd)}.",
        "They stay in their rows. The marts leave them out: what happened then counts at the time when it was first "
        "seen.",
        "Look at such rows with the query that comes with this finding. If such a time means that there is none, add "
        "it to no_times in the contract; if it is in another unit or zone, set epoch or timezone there.",
        odd,
        quality.rows_with_odd_times(tx.community, table, column, now),
    )


def _unmapped_fields(
    known: list[Field], lines: dict[tuple[str, str], str], stream: str, now: datetime
) -> Finding | None:
    unmapped = [f for f in known if not f.is_mapped and not f.missing_since]
    new = [f for f in unmapped if _is_news(f, known, now)]
    numbers = {"unmapped": len(unmapped), "new": len(new)}
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


def _unknown_values(tx: Transaction, stream: str, tables: list[str]) -> Finding | None:
    unknown = unknown_values(tx, tables)
    if not unknown:
        return None
    shown = "; ".join(f"{column}: {_listed(values)}" for column, values in unknown.items())
    return Finding(
        "unknown_values",
        stream,
        "warning",
        f"Unknown values, loaded as they came: {shown}.",
        "A query that lists the known values leaves these rows out.",
        "Look up what they mean in the community, and add them to such queries.",
        {"unknown": sum(count for values in unknown.values() for count in values.values())},
    )


def _vanished_fields(
    known: list[Field], lines: dict[tuple[str, str], str], contract: Contract, stream: str
) -> Finding | None:
    spec = contract.streams[stream]
    mapped = {stream: spec.fields, **{table: embedded.fields for table, embedded in spec.embedded.items()}}
    vanished = [f for f in known if f.is_mapped and f.missing_since and f.field in mapped[f.table]]
    if not vanished:
        return None
    needed = sorted(_relied_on(contract, stream) & {f"{f.table}.{f.field}" for f in vanished})
    shown = [f"{f.table}.{f.field} (since {f.missing_since:%Y-%m-%d})" for f in vanished[:_SHOWN]]
    more = " …" if len(vanished) > _SHOWN else ""
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


def _volume(stream: str, nights: Sequence[float]) -> Finding:
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


def _hidden_changes(last: quality.LastRun | None, contract: Contract, stream: str, verify_days: int) -> Finding | None:
    each = contract.streams[stream].each
    if not (each and each.changed_when and last and last.hidden_changes):
        return None
    columns = ", ".join(each.changed_when)
    return Finding(
        "hidden_changes",
        stream,
        "warning",
        f"{last.hidden_changes:,} scopes had changed although their parents did not show it ({columns}).",
        f"This run therefore read every scope, and the table is right now. In other nights such changes can be "
        f"up to {verify_days} nights late.",
        f"If it goes on, add to streams.{stream}.each.changed_when in the contract what does change, or set it to [] "
        "so that every scope is read every night; a lower IDEAS_VERIFY_DAYS shortens the delay.",
        {"hidden": last.hidden_changes},
    )


def _declared_counts(tx: Transaction, contract: Contract, stream: str) -> Finding | None:
    declaration = _declaration(contract, stream)
    if not declaration:
        return None
    parent, declared = declaration.parent, declaration.declared
    found = quality.declared_counts(tx, declaration, contract.streams[stream].cursor)
    if not found.differ:
        what = f"{found.parents:,} {parent} declare {found.declared:,} {stream}, and there are as many."
        return Finding("declared_counts", stream, "note", what, numbers=asdict(found))
    lists = quality.unmapped_lists(tx, stream) if found.missing else []
    line = f"streams: {{{stream}: {{nested: [{', '.join(lists)}]}}}}"
    inside = f" The unmapped field {lists[0]} holds lists of records." if lists else ""
    if lists and stream in SELF_REFERENCES:
        inside = f"{inside} If these are {stream}, add to the contract: {line}"
    both = [f"{found.missing:,} are declared and not there"] if found.missing else []
    both += [f"{found.surplus:,} are there and not declared"] if found.surplus else []
    return Finding(
        "declared_counts",
        stream,
        "warning",
        f"{found.differ:,} of {found.parents:,} {parent} declare another number of {stream} than there are rows: "
        f"{found.declared:,} are declared, {found.there:,} are there ({'; '.join(both)}).",
        f"A query that counts rows and one that adds up {parent}.{declared} differ by that. If the stream is complete, "
        "these are all rows that the API shows to this account: the source may count what it hides (removed, drafts, "
        "replies), or the account may lack rights.",
        f"Count rows, and look at some of those that differ, with the query that comes with this finding.{inside}",
        asdict(found),
        quality.differing_parents(tx.community, declaration),
    )


def _contradictions(tx: Transaction, contract: Contract, stream: str) -> Finding | None:
    each = contract.streams[stream].each
    if each is None:
        return None
    found, absent = contradictions(tx, stream), contradicted(tx, stream)
    if absent:
        return Finding(
            "contradictions",
            stream,
            "warning",
            f"Absent rows of {stream} whose absence is contradicted: {_listed(absent)}.",
            "They count as live until a complete sweep of another run lacks them as well.",
            "Sync again. If the parents still count them then, the API may hide rows from this account.",
            {"absent": sum(absent.values())},
        )
    if not found:
        return None
    scopes = sum(found.values())
    do = (
        f"If {each.placeholder} in the contract's fields is read from the wrong field, correct it or set it to null. "
        "Otherwise compare these lists with the community itself."
    )
    if any(what.startswith(IGNORED) for what in found):
        do = f"Read one list of all: {one_list(stream, contract.streams[stream])}"
    return Finding(
        "contradictions",
        stream,
        "warning",
        f"Lists of {stream} contradict others (scopes: {scopes:,}): {_listed(found)}.",
        f"A record belongs to the {each.placeholder} that it names, and otherwise stays where it was.",
        do,
        {"scopes": scopes},
    )


def _declaration(contract: Contract, stream: str) -> quality.Declaration | None:
    """The column in which a parent declares the length of its scope of the stream; None if nothing declares it."""
    spec = contract.streams[stream]
    each = spec.each
    if not each or not each.declared or len(each.of) != 1 or spec.reads != "list":
        return None
    parent = each.of[0].split(".")[0]
    if parent not in contract.streams:
        return None
    return quality.Declaration(parent, each.declared, stream, each.placeholder)


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
    return ", ".join(shown[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")


def _advice(lines: list[str]) -> str:
    return f"A line for the contract that seems to fit: {' | '.join(lines[:_SHOWN])} . " if lines else ""


def _listed(counted: Mapping[str, int]) -> str:
    """The first few with their counts: ``a (3), b (1) …``."""
    shown = [f"{what} ({count:,})" for what, count in list(counted.items())[:_SHOWN]]
    return ", ".join(shown) + (" …" if len(counted) > len(shown) else "")
