"""Decide which absent rows were really deleted, once every scope of the stream has been read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api.composite_ids import names_people
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.sync.batching import Rows
from ideas_pipeline.sync.empty_lists import fetch_with_valid_token
from ideas_pipeline.sync.homes import Homes, Waiting
from ideas_pipeline.sync.loading import Tally, load_batch
from ideas_pipeline.sync.planning import scopes_of
from ideas_pipeline.sync.run import Run, swept_scope
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.absences import (
    Absence,
    absences,
    confirm_absences,
    contradict_absences,
    explained,
    forget_absences,
    hold_absences,
    note_orphans,
    note_rows,
    undecided,
    unlisted,
)
from ideas_pipeline.warehouse.batch import Counts, too_many
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.scopes import (
    declared_before,
    declared_in,
    forget_complete,
    live_counts,
    live_ids,
    note_contradictions,
)

_HIDDEN_BY_RIGHTS = (
    "rows that the API no longer lists: deleted, or hidden from its account? They are kept until an operator confirms"
)
# If records of a stream do not move, one that appears in another list is probably another record with the same id, and
# every list may have some: at most so many homes are swept once more per run.
_MOST_HOMES = 20
_MAY_HAVE_MOVED = "absent rows may have moved to a list that could not be read; they were kept"
_MAY_COME_FROM = (
    "records may have moved from lists that this run did not read; their rows stay where they were until then"
)


def judge_absences(run: Run, stream: str, tally: Tally, homes: Homes) -> None:
    """Mark the rows that were deleted, and hold back the absences that cannot be believed.

    A row is judged in the run that completed its scope, or if its parent is deleted. A held row stays held until a
    sweep sees it again or an operator confirms it.

    Args:
        run: the run.
        stream: the stream, all of whose scopes have been read.
        tally: which scopes are complete; what is marked and held is added to its counts.
        homes: where the records of the stream belong.
    """
    spec = run.source.contract.streams[stream]
    warehouse = run.warehouse
    settle_homes(run, stream, tally, homes)
    with warehouse.writing() as tx:
        note_contradictions(tx, stream, homes.contradictions(tally.complete), homes.contradiction_code)
        forget_complete(tx, stream, homes.undecided.keys() & tally.complete)
        forget_absences(tx, stream, homes.listed_elsewhere)
        note_orphans(tx, stream, spec.listed_by, run.run_id, run.options.clock())
        # A row whose list is not known is absent if no list has it.
        every_list = tally.plan.parents <= tally.complete and not tally.reasons and not tally.untyped
        in_no_list = homes.unlisted if tally.plan.parents and every_list else set()
        note_rows(tx, stream, spec.listed_by, in_no_list, run.run_id, run.options.clock())
        if vanished := set[str]().union(*tally.vanished.values()):
            # Sweeps of this run have seen them: what an earlier run noticed does not confirm their absence.
            seen_before = vanished & absences(tx, stream).keys()
            forget_absences(tx, stream, seen_before)
            note_rows(tx, stream, spec.listed_by, seen_before, run.run_id, run.options.clock())
        noted = absences(tx, stream)
    if homes.moves and homes.chosen is None and any(not absence.held_because for absence in noted.values()):
        settled = _search_moved(run, stream, tally, homes, noted)
        with warehouse.reading() as tx:
            noted = absences(tx, stream)
        if not settled and noted:
            tally.doubt(_MAY_HAVE_MOVED, retryable=True)
            tally.counts += Counts(held=len(noted))
            return
    with warehouse.writing() as tx:
        reasons = explained(tx, stream, spec.listed_by, run.run_id, run.options.clock())
        orphans = reasons.get("parent_gone", set())
        absent = {
            id_: absence.scope
            for id_, absence in noted.items()
            if id_ in orphans
            or (
                not absence.held_because
                and (absence.scope in tally.complete or id_ in tally.complete or id_ in in_no_list)
            )
        }
        waiting = _contradicted(tx, run, stream, tally, homes, {i: noted[i] for i in absent})
        contradict_absences(tx, stream, waiting)
        distrust = run.distrust or (_HIDDEN_BY_RIGHTS if spec.hidden_by_rights else None)
        live = live_counts(tx, stream, spec.listed_by) if absent else {}
        named = not names_people(run.source.contract, stream)
        judgement = judge(absent, reasons, live, run.options.mass_absence_percent, distrust, named=named)
        for because, ids in judgement.held.items():
            hold_absences(tx, stream, ids, because)
        # The parent of a row can have moved to the list of another challenge after this run had read the parents.
        wait_all = spec.listed_by is not None and spec.listed_by not in TABLES[stream].c
        unconfirmed = {
            i for i, scope in absent.items() if (wait_all or scope in waiting) and noted[i].run_id == run.run_id
        }
        for because, ids in judgement.deleted.items():
            certain = [id_ for id_ in ids if because != "gone" or id_ not in unconfirmed]
            if not certain:
                continue
            deletion = Deletion(run.run_id, run.options.clock(), because)
            marked = confirm_absences(tx, stream, certain, list(spec.embedded), deletion)
            tally.counts += Counts(absent=sum(marked.values()))
        noted = absences(tx, stream)
    for absence in noted.values():
        if absence.held_because:
            tally.counts += Counts(held=1)
            tally.reasons[absence.held_because] = 1


def forget_other_lists(run: Run, stream: str, scopes: Collection[str]) -> None:
    """Forget the absences in lists that are not in the contract any more: its present lists decide about the rows.

    Args:
        run: the run.
        stream: the stream.
        scopes: its present scopes.
    """
    if not run.mode.moves_state:
        return
    with run.warehouse.reading() as tx:
        noted = undecided(tx, stream)
        listed_nowhere = unlisted(tx, stream, run.source.contract.streams[stream].listed_by) if noted else set()
    others = [id_ for id_, absence in noted.items() if absence.scope not in scopes and id_ not in listed_nowhere]
    if others:
        with run.warehouse.writing() as tx:
            forget_absences(tx, stream, others)


def _contradicted(
    tx: Transaction, run: Run, stream: str, tally: Tally, homes: Homes, absent: Mapping[str, Absence]
) -> dict[str, str]:
    """What contradicts the absences that this run noticed, by scope.

    The parent still counts the rows that the list lacks, the lists contradict each other, the API does not find the
    list, as if its parent were hidden, or the sweeps of the list contradict each other. That may be a deletion in
    between, or replicas of which some are behind: with pages of both, a sweep can also lack rows that both have. A
    count that always differed is not a contradiction; one that did not fall with the rows is.
    """
    new = Counter(absence.scope for absence in absent.values() if absence.run_id == run.run_id)
    found = dict.fromkeys(new.keys() & tally.not_found, "the API answers 404 or 410 for a list that had rows")
    found |= dict.fromkeys(
        new.keys() & tally.vanished.keys(), "an earlier sweep of the same run had rows that are absent"
    )
    found |= {s: w for s, w in homes.contradictions(tally.complete).items() if s in new}
    spec = run.source.contract.streams[stream]
    if not new or not spec.each or not spec.each.declared:
        return found
    live, before = live_counts(tx, stream, spec.listed_by), declared_before(tx, stream, new, run.run_id)
    now = declared_in(tx, stream, new, run.run_id)
    for scope, count in new.items():
        if scope not in now or (declared := now[scope].declared) is None:
            continue
        earlier = before.get(scope)
        came = live.get(scope, 0) - count
        gap = (declared if earlier is None else earlier) - (live.get(scope, 0) - now[scope].inserted)
        if declared - came > max(gap, 0):
            found[scope] = f"the parent declares {declared:,} {stream}, and {came:,} came"
    return found


def settle_homes(run: Run, stream: str, tally: Tally, homes: Homes) -> None:
    """Move the rows whose present home lacks them, and keep the others where they are.

    A complete sweep of the present home decides. Homes whose sweep does not tell are swept once more. If that does not
    tell either, the row stays until the next run, which reads the lists again that brought its record.
    """
    one_list = homes.chosen is not None and homes.swept is not None and homes.swept.verdict == "complete"
    doubtful = [] if one_list else [w.present for i, w in homes.waiting.items() if _may_be_there(tally, homes, i, w)]
    again = _sweep_again(run, stream, tally, homes, _chosen_homes(run, homes, sorted(set(doubtful))), homes.waiting)
    rows = Rows()
    for id_, waiting in homes.waiting.items():
        present, found = waiting.present, again.get(waiting.present)
        is_complete = one_list or present in tally.complete or found is not None
        lacks = id_ not in found if found is not None else homes.lacks(present, id_)
        if is_complete and lacks:
            homes.settled.add(id_)
            home, record = next((h, r) for h, r in reversed(waiting.versions.items()) if h != present)
            rows.add([record], home)
            continue
        if is_complete and lacks is not None:
            homes.twice.update(home for home in waiting.versions if home != present)
        else:
            homes.undecided.update(waiting.lists)
        kept = waiting.versions.get(present) or (found or {}).get(id_) or homes.at_home(waiting)
        if kept:
            rows.add([kept], present)
    if rows.records:
        load_batch(run, stream, rows, [], tally)
    if homes.undecided.keys() & tally.complete:  # other lists have their own reason
        tally.doubt(_MAY_COME_FROM, retryable=True)


def _chosen_homes(run: Run, homes: Homes, doubtful: Sequence[str]) -> Sequence[str]:
    """Those of the ``doubtful`` homes that this run sweeps once more: all, or on each day the next ones."""
    if (homes.moves and homes.chosen is None) or len(doubtful) <= _MOST_HOMES:
        return doubtful
    first = run.options.clock().toordinal() * _MOST_HOMES % len(doubtful)
    return [*doubtful[first:], *doubtful[:first]][:_MOST_HOMES]


def _may_be_there(tally: Tally, homes: Homes, id_: str, waiting: Waiting) -> bool:
    """Whether the present home of a row may still hold it, as far as this run has seen."""
    return waiting.present not in tally.complete or homes.lacks(waiting.present, id_) is not True


def _sweep_again(
    run: Run, stream: str, tally: Tally, homes: Homes, scopes: Sequence[str], wanted: Container[str]
) -> dict[str, dict[str, Record]]:
    """The ``wanted`` records that belong to ``scopes``, by scope and id, for those that a new sweep finds complete."""
    seen: dict[str, dict[str, Record]] = {scope: {} for scope in scopes}
    found: dict[str, dict[str, Record]] = {}
    # Scopes that were complete before an error that ends all requests are found all the same.
    with suppress(IdeasApiError):
        for got in fetch_with_valid_token(
            run,
            (swept_scope(run, stream, scope) for scope in scopes),
            lambda swept, position: run.source.page(stream, swept.scope, position, known=homes.known),
        ):
            scope = got.swept.scope
            seen[scope] |= {id_: r for r in got.records if homes.home(r) == scope and (id_ := homes.key(r)) in wanted}
            if got.finished:
                tally.counts += Counts(requests=got.swept.requests)
                if got.swept.verdict == "complete":
                    # What an earlier sweep saw and the last one did not is not there any more.
                    found[scope] = {id_: r for id_, r in seen[scope].items() if str(r.columns["id"]) in got.swept.ids}
    return found


def _search_moved(run: Run, stream: str, tally: Tally, homes: Homes, noted: Mapping[str, Absence]) -> bool:
    """Read every scope once more for records that are absent from one: they may have moved.

    A record that moved from a scope that was still to be read to one that had been read is in neither, although both
    are complete. The records that are found are loaded.

    Returns:
        Whether that settles it: every scope that the API has now, new ones included, was complete before and again.
    """
    try:
        scopes = set(scopes_of(run.warehouse, run.source.contract.streams[stream]))
        parents_complete = all(_has_no_new_parent(run, parent) for parent in run.source.contract.depends_on(stream))
    except IdeasApiError:
        return False
    again = _sweep_again(run, stream, tally, homes, sorted(scopes), noted)
    settled = parents_complete and scopes <= tally.complete and scopes <= again.keys()
    found = Rows()
    for id_, absence in noted.items():
        versions = {scope: records[id_] for scope, records in again.items() if id_ in records}
        if versions:
            home = absence.scope if absence.scope in versions else next(iter(versions))
            homes.settled.add(id_)
            found.add([versions[home]], home)
    if found.records:
        load_batch(run, stream, found, [], tally)
    return settled


def _has_no_new_parent(run: Run, parent: str) -> bool:
    """Whether the warehouse has every parent that the API has now: the scope of a new one may have what has moved."""
    spec = run.source.contract.streams[parent]
    if spec.each:
        return True
    seen, flagged = set[str](), set[str]()
    verdict = None
    for got in fetch_with_valid_token(
        run, [swept_scope(run, parent, "")], lambda swept, position: run.source.page(parent, swept.scope, position)
    ):
        seen.update(got.swept.ids)
        flagged |= {str(record.columns["id"]) for record in got.records if record.deleted}
        verdict = got.swept.verdict
    with run.warehouse.reading() as tx:
        known = live_ids(tx, parent)
    return verdict == "complete" and seen - flagged <= known


@dataclass(frozen=True, slots=True)
class Judgement:
    """Ids by reason.

    Attributes:
        deleted: rows that were deleted.
        held: rows whose absence waits for an operator.
    """

    deleted: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, list[str]] = field(default_factory=dict)


def judge(
    absent: Mapping[str, str],
    explained: Mapping[str, set[str]],
    live: Mapping[str, int],
    percent: float,
    distrust: str | None,
    *,
    named: bool = True,
) -> Judgement:
    """Decide which absent rows were deleted.

    Args:
        absent: the rows, as id → scope.
        explained: rows whose absence something else explains, as reason → ids: their parent was deleted, or a stage
            cleared them. They were deleted.
        live: the number of live rows per scope.
        percent: if more than this share of the stream or of one scope is absent at once, and at least 20 rows are, the
            rows are held. So are all rows of a stream if nothing is left of it, but for those of one parent alone: an
            API that has lost a session can answer with empty lists.
        distrust: why no unexplained absence can be believed; None if it can. Such rows are held.
        named: whether reasons may name a scope.
    """
    judgement = Judgement()
    for reason, ids in explained.items():
        if believed := sorted(ids & absent.keys()):
            judgement.deleted[reason] = believed
    rest = {i: s for i, s in absent.items() if not any(i in ids for ids in explained.values())}
    if not rest:
        return judgement
    total = sum(live.values())
    is_empty = 1 < len(rest) == total and (live.keys() == {""} or len(set(rest.values())) > 1)
    if distrust or is_empty or too_many(len(rest), total, percent):
        judgement.held[distrust or _reason(len(rest), total, "the stream", percent)] = sorted(rest)
        return judgement
    by_scope: dict[str, list[str]] = defaultdict(list)
    for id_, scope in sorted(rest.items()):
        by_scope[scope].append(id_)
    for scope, count in sorted(Counter(rest.values()).items()):
        if too_many(count, live.get(scope, 0), percent):
            because = _reason(count, live.get(scope, 0), f"list {scope}" if named else "a list", percent)
            judgement.held.setdefault(because, []).extend(by_scope[scope])
        else:
            judgement.deleted.setdefault("gone", []).extend(by_scope[scope])
    return judgement


def _reason(count: int, total: int, where: str, percent: float) -> str:
    return (
        f"{count} of {total} rows of {where} are absent at once, more than {percent:g} %: "
        "deleted, or hidden from the API's account? None was marked as deleted"
    )
