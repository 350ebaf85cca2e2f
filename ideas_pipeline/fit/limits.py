"""Read the API's limits from the headers of its responses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ideas_pipeline.contract.types import Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import Exchange

_LIMITS = ("X-RateLimit-Limit", "X-Rate-Limit-Limit", "RateLimit-Limit")
# Headers that name the window, with its seconds.
_WINDOWS = {
    "X-RateLimit-Limit-Hour": 3600,
    "X-RateLimit-Limit-Minute": 60,
    "X-RateLimit-Limit-Second": 1,
    "X-RateLimit-Limit-Day": 86_400,
}


def fit_limits(draft: Draft, exchanges: Sequence[Exchange]) -> None:
    """Propose the limit of a rate header, per hour or per second; ask which it is if no header has the window."""
    for answer in reversed([e for e in exchanges if not e.documented]):
        for name in (*_LIMITS, *_WINDOWS):
            value = answer.answer_headers.get(name, "")
            match = re.match(r"\s*(\d+)\s*(?:[,;].*?\bw=(\d+))?", value)
            if not match:
                continue
            window = int(match[2] or 0) or _WINDOWS.get(name) or _window(answer)
            per_hour = window is None or window >= 60
            place: Steps = ("limits", "requests_per_hour" if per_hour else "requests_per_second")
            if place in draft.stated:
                return
            if window is None:
                draft.ask(
                    place,
                    f"The header {name} says {match[1]}: requests per hour, per minute or per second?",
                    urgency=35,
                )
            else:
                rate = int(match[1]) * 3600 // window if per_hour else int(match[1]) / window
                draft.propose(Inferred(place, rate, f"the header {name} says so"))
            return


def _window(answer: Exchange) -> int | None:
    """The window of the rate limit in seconds; None if no header has it."""
    for name in ("X-RateLimit-Window", "X-Rate-Limit-Window", "RateLimit-Policy"):
        value = answer.answer_headers.get(name, "")
        if found := re.search(r"w=(\d+)", value) or re.fullmatch(r"\s*(\d+)\s*", value):
            return int(found[1]) or None
    return None
