"""Findings about lists: were they read, are they complete, do they contradict each other?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.composite_ids import SELF_REFERENCES, names_people
from ideas_pipeline.sync.finding import SHOWN, Finding, listed
from ideas_pipeline.sync.homes import one_list
from ideas_pipeline.text import counted
from ideas_pipeline.warehouse import quality
from ideas_pipeline.warehouse.absences import contradicted
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.scopes import contradictions, has_rows, last_sweeps, verified_before

# A scope can be verified that much later than promised, for example because a night was missed.
_LATE = timedelta(days=2)
_SYNC = "Run `ideas-pipeline sync`"


def completeness(last: quality.LastRun | None, contract: Contract, stream: str, *, held: bool) -> Finding:
    """Whether the last sync read every scope of the stream completely. ``held``: whether absent rows are held."""
    if last is None:
        return Finding("completeness", stream, "error", "Never synced.", "The table is empty.", f"{_SYNC}.")
    numbers = {"scopes": last.scopes, "complete": last.scopes_complete}
    if last.verdict == "complete":
        what = f"Scopes read and complete: {last.scopes:,}."
        if not last.disbelieved:
            return Finding("completeness", stream, "note", what, numbers=numbers)
        if "cut_lists" in last.codes:
            return Finding(
                "completeness",
                stream,
                "warning",
                f"{what} But {last.disbelieved}, by the list's own count or next page.",
                "Rows of that table can be missing. Those that came once are kept, also if they are gone by now.",
                "If the API has a parameter that shows more items in such a list, add it to the stream's parameters in "
                "the contract. If the count includes hidden items, compare some of these records with the community.",
                numbers,
                is_doubt=True,
            )
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
        complete = f"{last.scopes_complete:,} of {counted(last.scopes, 'scope')}"
        what = f"The last sync is incomplete: {reason}. Complete: {complete}."
    shown = [] if names_people(contract, stream) else [scope for scope in last.incomplete if scope][:SHOWN]
    if shown:
        what += f" Scopes: {', '.join(shown)}{' …' if len(last.incomplete) > len(shown) else ''}."
    do = "Sync again (`ideas-pipeline sync`); if it stays, run `ideas-pipeline check`."
    if "total_differs" in last.codes:
        do += f" If its total counts rows that it never sends: streams: {{{stream}: {{paging: {{total: null}}}}}}."
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


def always_empty(tx: Transaction, contract: Contract, stream: str) -> Finding | None:
    """A stream that is one list, which is complete and never had a record; None if there is more to it."""
    if contract.streams[stream].each or has_rows(tx, stream):
        return None
    sweep = last_sweeps(tx, stream).get("")
    if sweep is None or sweep.verdict != "complete":
        return None
    return Finding(
        "completeness",
        stream,
        "warning",
        f"The list of {stream} is empty, and always was.",
        "The lists that belong to its rows are not read either.",
        "If the community has any, check the region, what the API's account may see, and the size of a page "
        "(`ideas-pipeline check`).",
        is_doubt=True,
    )


def mass_absence(tx: Transaction, stream: str, tables: list[str]) -> Finding | None:
    """The absent rows that are held for an operator; None if there are none."""
    held = quality.held_absences(tx, tables)
    if not held:
        return None
    names = list(dict.fromkeys(table for table, _ in held))
    reasons = list(dict.fromkeys(because for _, because in held))
    more = f"; and {len(reasons) - SHOWN:,} more reasons" if len(reasons) > SHOWN else ""
    confirm = " and ".join(f"`ideas-pipeline absences confirm --stream {name}`" for name in names)
    rows = sum(held.values())
    return Finding(
        "mass_absence",
        stream,
        "error",
        f"Absent and held: {counted(rows, 'row')} of {', '.join(names)} ({'; '.join(reasons[:SHOWN])}{more}).",
        "Until this is settled, they count as live.",
        "See `ideas-pipeline absences list`. If the API's account lost rights, restore them and sync again. If the "
        f"rows are really deleted: {confirm}.",
        {"held": rows},
    )


def hidden_changes(last: quality.LastRun | None, contract: Contract, stream: str, verify_days: int) -> Finding | None:
    """The scopes that had changed without a change of their parents in the last run; None if there were none."""
    each = contract.streams[stream].each
    if not (each and each.changed_when and last and last.hidden_changes):
        return None
    columns = ", ".join(each.changed_when)
    return Finding(
        "hidden_changes",
        stream,
        "warning",
        f"Changed although the parent did not show it ({columns}): {counted(last.hidden_changes, 'scope')}.",
        f"This run therefore read every scope, and the table is right now. In other nights such changes can be "
        f"up to {verify_days} nights late.",
        f"If it goes on, add to streams.{stream}.each.changed_when in the contract what does change, or set it to [] "
        "so that every scope is read every night; a lower IDEAS_VERIFY_DAYS shortens the delay.",
        {"hidden": last.hidden_changes},
    )


def late_verification(
    tx: Transaction, contract: Contract, stream: str, verify_days: int, now: datetime
) -> Finding | None:
    """The scopes that nights should have verified again by now; None if there are none."""
    each = contract.streams[stream].each
    if not (each and each.changed_when):
        return None
    late, oldest = verified_before(tx, stream, each.of, now - timedelta(days=verify_days) - _LATE)
    if oldest is None:
        return None
    return Finding(
        "verification",
        stream,
        "warning",
        f"Last complete more than {counted(verify_days, 'day')} ago: {counted(late, 'scope')}, the oldest "
        f"{(now - oldest).days:,} days ago.",
        "Changes that their parents do not show, such as deletions, can be missing for that long.",
        "Are nights missed or interrupted, or is the limit of requests per hour too low (`ideas-pipeline check` "
        "estimates that)? `ideas-pipeline sync --full` reads every scope; if nights cannot, raise IDEAS_VERIFY_DAYS.",
        {"late": late},
    )


def declared_numbers(tx: Transaction, contract: Contract, stream: str, *, is_complete: bool) -> Finding | None:
    """The rows that exist against those that their parents declare; None if no column declares them.

    If the stream is complete (``is_complete``) and has none of them, its lists are probably hidden from the account.
    """
    declaration = declaration_of(contract, stream)
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
        "error" if is_complete and found.declared and not found.there else "warning",
        f"{found.differ:,} of {found.parents:,} {parent} declare another number of {stream} than there are rows: "
        f"{found.declared:,} are declared, {found.there:,} are there ({'; '.join(both)}).",
        f"A query that counts rows and one that adds up {parent}.{declared} differ by that. If the stream is complete, "
        "these are all rows that the API shows to this account: the source may count what it hides (removed, drafts, "
        "replies), or the account may lack rights.",
        f"Count rows, and look at some of those that differ, with the query that comes with this finding.{inside}",
        asdict(found),
        quality.differing_parents(tx.community, declaration),
        is_doubt=True,
    )


def contradicting_lists(tx: Transaction, contract: Contract, stream: str) -> Finding | None:
    """What contradicts the stream's lists or absent rows; None if nothing does."""
    if absent := contradicted(tx, stream):
        return Finding(
            "contradictions",
            stream,
            "warning",
            f"Absent rows of {stream} whose absence is contradicted: {listed(absent)}.",
            "They count as live until a complete sweep of another run lacks them as well.",
            "Sync again. If the parents still count them then, the API may hide rows from this account. If sweeps "
            "differ night after night, some of the API's servers may be behind: ask the vendor.",
            {"absent": sum(absent.values())},
            is_doubt=True,
        )
    each, found = contract.streams[stream].each, contradictions(tx, stream)
    if each is None or not found:
        return None
    scopes = sum(found.values())
    do = (
        f"If {each.placeholder} in the contract's fields is read from the wrong field, correct it or set it to null. "
        "Otherwise compare these lists with the community itself."
    )
    if "ignored_parent" in quality.contradiction_codes(tx, stream):
        do = f"Read one list of all: {one_list(stream, contract.streams[stream])}"
    return Finding(
        "contradictions",
        stream,
        "warning",
        f"Lists of {stream} contradict others (scopes: {scopes:,}): {listed(found)}.",
        f"A record belongs to the {each.placeholder} that it names, and otherwise stays where it was.",
        do,
        {"scopes": scopes},
        is_doubt=True,
    )


def declaration_of(contract: Contract, stream: str) -> quality.Declaration | None:
    """The column in which a parent declares the length of its scope of the stream; None if nothing declares it."""
    spec = contract.streams[stream]
    each = spec.each
    if not each or not each.declared or len(each.of) != 1 or spec.reads != "list":
        return None
    parent = each.of[0].split(".")[0]
    if parent not in contract.streams:
        return None
    return quality.Declaration(parent, each.declared, stream, each.placeholder)
