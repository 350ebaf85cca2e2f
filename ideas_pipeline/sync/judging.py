"""What a stream's missing rows are judged to be, when it is known what became of all its lists."""

from __future__ import annotations

from datetime import UTC, datetime

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.sync.absence import judge
from ideas_pipeline.sync.batches import Rows
from ideas_pipeline.sync.fetching import fetch
from ideas_pipeline.sync.loading import Tally, load_batch
from ideas_pipeline.sync.planning import Task, scopes_of
from ideas_pipeline.sync.reading import Reading
from ideas_pipeline.sync.run import Run

_HIDDEN_BY_RIGHTS = (
    "rows that the API no longer lists: deleted, or hidden from its account? They are kept until an operator confirms"
)


def judge_absences(run: Run, stream: str, tally: Tally) -> None:
    """Mark what is proven absent, and hold back what is not to be believed.

    A row is judged in the run that proved its list, or when its parent is gone. A row that was held stays held until
    it is seen again or an operator confirms it.
    """
    spec = run.api.contract.streams[stream]
    warehouse, community = run.warehouse, run.community
    warehouse.note_orphans(community, stream, run.run_id, datetime.now(UTC))
    candidates = warehouse.candidates(community, stream)
    if spec.each and spec.each.moves and (tally.twice or any(not c.held_because for c in candidates.values())):
        settled = _look_again(run, stream, tally, candidates.keys() | tally.twice)
        candidates = warehouse.candidates(community, stream)
        if not settled and candidates:
            tally.doubt("rows are missing that may have moved to a list that could not be read; they were kept")
            tally.held += len(candidates)
            return
    explained = warehouse.told_apart(community, stream, run.run_id, datetime.now(UTC))
    orphans = explained.get("parent_gone", set())
    missing = {
        id_: candidate.scope
        for id_, candidate in candidates.items()
        if id_ in orphans or (not candidate.held_because and (candidate.scope in tally.proven or id_ in tally.proven))
    }
    distrust = run.distrust or (_HIDDEN_BY_RIGHTS if spec.hidden_by_rights else None)
    live = warehouse.live_counts(community, stream) if missing else {}
    judgement = judge(missing, explained, live, run.mass_absence_percent, distrust)
    for because, ids in judgement.held.items():
        warehouse.hold_absences(community, stream, ids, because)
    for because, ids in judgement.gone.items():
        marked = warehouse.confirm_absences(
            community, stream, ids, run.run_id, datetime.now(UTC), list(spec.embedded), because
        )
        tally.absent += sum(marked.values())
    for candidate in warehouse.candidates(community, stream).values():
        if candidate.held_because:
            tally.held += 1
            tally.reasons[candidate.held_because] = 1


def _look_again(run: Run, stream: str, tally: Tally, sought: set[str]) -> bool:
    """Read every list once more for records that are missing from one, or were seen in two: they may have moved.

    A record that moved from a list not yet read to one read already is in neither, though both were read whole.
    Loads the records in question where they are found. Returns whether that settles it: every list that the API has
    now, new ones included, was proven complete, in this run and again.
    """
    spec = run.api.contract.streams[stream]
    try:
        lists = set(scopes_of(run.warehouse, run.community, spec))
        parents_whole = all(_lists_same(run, parent) for parent in run.api.contract.depends_on(stream))
        whole = parents_whole and lists <= tally.proven
        tasks = {scope: Task(scope) for scope in lists}
        found = Rows()
        for got in fetch(
            (Reading(scope, spec.paging, sweeps=run.api.contract.limits.sweeps) for scope in lists),
            lambda scope, position: run.page(stream, scope, position),
            concurrency=run.api.contract.limits.concurrency,
        ):
            found.add([r for r in got.records if str(r.columns.get("id")) in sought], got.reading.scope)
            if got.finished:
                tally.requests += got.reading.requests
                whole = whole and got.reading.verdict == "complete"
    except IdeasApiError:
        return False
    if found.records:
        load_batch(run, stream, found, [], tally, tasks)
    return whole


def _lists_same(run: Run, parent: str) -> bool:
    """Whether the API has now just the parents that the warehouse knows: a new one may hold what has moved."""
    spec = run.api.contract.streams[parent]
    if spec.each or spec.reads == "one":
        return True
    seen: set[str] = set()
    verdict = None
    for got in fetch(
        [Reading("", spec.paging, sweeps=run.api.contract.limits.sweeps)],
        lambda scope, position: run.page(parent, scope, position),
        concurrency=1,
    ):
        seen |= got.reading.ids
        verdict = got.reading.verdict
    return verdict == "complete" and seen <= run.warehouse.live_ids(run.community, parent, None)
