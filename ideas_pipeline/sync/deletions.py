"""What a stream's missing rows are judged to be, when it is known what became of all its lists."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.sync.completeness import Reading
from ideas_pipeline.sync.fetching import fetch
from ideas_pipeline.sync.loading import Rows, Tally, load_batch
from ideas_pipeline.sync.planning import Task, scopes_of
from ideas_pipeline.sync.run import Run
from ideas_pipeline.warehouse.batch import Counts, too_many

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
            moved = "rows are missing that may have moved to a list that could not be read; they were kept"
            tally.doubt(moved, retryable=True)
            tally.counts += Counts(held=len(candidates))
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
        tally.counts += Counts(absent=sum(marked.values()))
    for candidate in warehouse.candidates(community, stream).values():
        if candidate.held_because:
            tally.counts += Counts(held=1)
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
            lambda scope, position: run.source.page(stream, scope, position),
            concurrency=run.api.contract.limits.concurrency,
        ):
            found.add([r for r in got.records if str(r.columns.get("id")) in sought], got.reading.scope)
            if got.finished:
                tally.counts += Counts(requests=got.reading.requests)
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
        lambda scope, position: run.source.page(parent, scope, position),
        concurrency=1,
    ):
        seen |= got.reading.ids
        verdict = got.reading.verdict
    return verdict == "complete" and seen <= run.warehouse.live_ids(run.community, parent, None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ids that are believed to be gone, by reason, and those that are not, by reason."""

    gone: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, list[str]] = field(default_factory=dict)


def judge(
    missing: Mapping[str, str],
    explained: Mapping[str, set[str]],
    live: Mapping[str, int],
    percent: float,
    distrust: str | None,
) -> Judgement:
    """Judge ``missing`` (id → scope) against the ``live`` rows of each scope.

    ``explained``: reason → ids whose absence something else explains (their parent went, a stage cleared them): gone.
    ``distrust``: why nothing that is unexplained may be believed, if so. Else more than ``percent`` of a stream, or of
    one scope, and at least 20 rows: held. The others: gone.
    """
    judgement = Judgement()
    for reason, ids in explained.items():
        if believed := sorted(ids & missing.keys()):
            judgement.gone[reason] = believed
    rest = {i: s for i, s in missing.items() if not any(i in ids for ids in explained.values())}
    if not rest:
        return judgement
    total = sum(live.values())
    if distrust or too_many(len(rest), total, percent):
        judgement.held[distrust or _reason(len(rest), total, "the stream", percent)] = sorted(rest)
        return judgement
    by_scope: dict[str, list[str]] = defaultdict(list)
    for id_, scope in sorted(rest.items()):
        by_scope[scope].append(id_)
    for scope, count in sorted(Counter(rest.values()).items()):
        if too_many(count, live.get(scope, 0), percent):
            judgement.held[_reason(count, live.get(scope, 0), f"list {scope}", percent)] = by_scope[scope]
        else:
            judgement.gone.setdefault("gone", []).extend(by_scope[scope])
    return judgement


def _reason(count: int, total: int, where: str, percent: float) -> str:
    return (
        f"{count} of {total} rows of {where} are missing at once, more than {percent:g} %: "
        "deleted, or hidden from the API's account? Nothing was marked as deleted"
    )
