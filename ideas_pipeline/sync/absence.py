"""Which missing rows are believed to be gone.

The load notes every row that a proven list did not hold. They are judged here, at the end of the stream, when it is
known what became of all its lists: a row that moved has been seen elsewhere by then, and a share that is too large to
be true is held for a person to look at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from ideas_pipeline.warehouse.batch import too_many


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
