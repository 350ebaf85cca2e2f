"""Which missing rows are believed to be gone.

The load notes every row that a proven list did not hold. They are judged here, at the end of the stream, when it is
known what became of all its lists: a row that moved has been seen elsewhere by then, and a share that is too large to
be true is held for a person to look at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# Fewer missing rows than this are never held: in a short list, one deletion is a large share.
_ALWAYS_BELIEVED_BELOW = 20


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ids that are believed to be gone, and those that are not, with the reason."""

    gone: list[str] = field(default_factory=list)
    held: dict[str, list[str]] = field(default_factory=dict)


def judge(candidates: dict[str, str], live: dict[str, int], percent: float) -> Judgement:
    """Judge ``candidates`` (id → scope) against the ``live`` rows of each scope.

    More than ``percent`` of a stream, or of one scope, and at least 20 rows: held. The others: gone.
    """
    total = sum(live.values())
    if _too_many(len(candidates), total, percent):
        return Judgement(held={_reason(len(candidates), total, "the stream", percent): sorted(candidates)})
    judgement = Judgement()
    missing = Counter(candidates.values())
    for scope, count in sorted(missing.items()):
        ids = sorted(i for i, s in candidates.items() if s == scope)
        if _too_many(count, live.get(scope, 0), percent):
            reason = _reason(count, live.get(scope, 0), f"list {scope}", percent)
            judgement.held.setdefault(reason, []).extend(ids)
        else:
            judgement.gone.extend(ids)
    return judgement


def _too_many(count: int, total: int, percent: float) -> bool:
    return count >= _ALWAYS_BELIEVED_BELOW and count > total * percent / 100


def _reason(count: int, total: int, where: str, percent: float) -> str:
    return (
        f"{count} of {total} rows of {where} are missing at once, more than {percent:g} %: "
        "deleted, or hidden from the API's account? Nothing was marked as deleted"
    )
