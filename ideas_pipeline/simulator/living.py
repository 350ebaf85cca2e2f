"""A community that lives: the same for the same seed, by a clock that its caller moves."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ideas_pipeline.simulator import idea_events as ideas
from ideas_pipeline.simulator import people_events as people
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.simulator.world import World

# What can happen, and how often beside the others.
_TOLD: dict[Callable[[World], bool], float] = {
    ideas.post: 6,
    ideas.edit: 4,
    ideas.publish_late: 1,
    ideas.move: 1,
    ideas.change_stage: 1,
    ideas.remove_idea: 1,
    ideas.restore_idea: 1,
    ideas.delete_idea: 0.3,
    ideas.label: 2,
    ideas.rename_label: 0.3,
    ideas.start_phase: 0.1,
    people.comment: 12,
    people.edit_comment: 3,
    people.moderate_comment: 1,
    people.delete_comment: 1,
    people.vote: 20,
    people.withdraw_vote: 3,
    people.join: 1,
    people.leave_or_return: 1,
}
# Changes of an idea's comments or votes of which no column of the idea tells.
_HIDDEN: dict[Callable[[World], bool], float] = {
    people.delete_account: 0.3,
    people.like_comment: 3,
    people.edit_comment_unseen: 1,
}
EVENTS = {event.__name__: event for event in _TOLD | _HIDDEN}
_LONGEST_PAUSE = 7_200  # seconds between two events
_START = datetime(2026, 1, 5, 6, tzinfo=UTC)  # after everything that a generated community holds


class Living:
    """Makes things happen in ``tables``, in place: within ``Simulator.changing()`` where they are served.

    ``now``: the community's clock, UTC in whole seconds. ``hides``: also let such changes happen of which the parent
    does not tell; without it a change of an idea's lists shows in the idea's counts, score or ``updated_at``.
    What parents declare is right after each call.
    """

    def __init__(self, tables: Tables, seed: int = 1, now: datetime = _START, *, hides: bool = False) -> None:
        ids = (int(key) for rows in tables.values() for key in rows if key.isdecimal())
        rng = random.Random(seed)  # noqa: S311 - it must be the same again
        self._world = World(tables, rng, now, itertools.count(max(ids, default=0) + 1), tells=not hides)
        self._likely = _TOLD | _HIDDEN if hides else _TOLD

    @property
    def now(self) -> datetime:
        return self._world.now

    def step(self, n: int = 1) -> list[str]:
        """Let ``n`` things happen, some time after one another. Returns which (see ``EVENTS``)."""
        return self._live(lambda happened: len(happened) < n)

    def advance(self, to: datetime) -> list[str]:
        """Let things happen until the clock shows ``to``. Returns which."""
        happened = self._live(lambda _: self.now + timedelta(seconds=_LONGEST_PAUSE) <= to)
        self._world.now = max(to, self.now)
        return happened

    def happen(self, event: str, n: int = 1) -> None:
        """Let this happen ``n`` times, a second apart. Raises ValueError where there is nothing to do it to."""
        for _ in range(n):
            self._world.now += timedelta(seconds=1)
            if not EVENTS[event](self._world):
                raise ValueError(f"{event}: there is nothing in this community that it could happen to")
        declare_counts(self._world.tables)

    def _live(self, goes_on: Callable[[list[str]], bool]) -> list[str]:
        happened: list[str] = []
        while goes_on(happened):
            self._world.now += timedelta(seconds=self._world.rng.randrange(1, _LONGEST_PAUSE))
            event = self._world.rng.choices([*self._likely], [*self._likely.values()])[0]
            if event(self._world):
                happened.append(event.__name__)
        declare_counts(self._world.tables)
        return happened
