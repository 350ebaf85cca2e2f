"""A simulated community that lives: deterministic for a seed, and moved by a clock that its caller advances."""

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

# Relative frequency of each event.
_VISIBLE: dict[Callable[[World], bool], float] = {
    ideas.post_idea: 6,
    ideas.edit_idea: 4,
    ideas.publish_late: 1,
    ideas.move_idea: 1,
    ideas.change_stage: 1,
    ideas.remove_idea: 1,
    ideas.restore_idea: 1,
    ideas.delete_idea: 0.3,
    ideas.add_or_remove_label: 2,
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
# Changes of an idea's comments or votes that no column of the idea shows.
_HIDDEN: dict[Callable[[World], bool], float] = {
    people.delete_account: 0.3,
    people.like_comment: 3,
    people.edit_comment_unseen: 1,
}
EVENTS = {event.__name__: event for event in _VISIBLE | _HIDDEN}
_LONGEST_PAUSE = 7_200  # seconds between two events
_START = datetime(2026, 1, 5, 6, tzinfo=UTC)  # after the last timestamp of a generated community


class LivingCommunity:
    """A community whose ``tables`` are changed in place by events, as its clock moves.

    While a simulator serves the tables, call the methods within ``Simulator.changing()``. The counts that parents
    declare are right after each call. The same seed gives the same life, whatever the sizes of the clock's steps.

    Args:
        tables: A complete community, as ``generate()`` makes it.
        seed: Seed of the events and of the pauses between them.
        now: Where the clock starts, timezone-aware, in whole seconds.
        hidden_changes: Include events that the parent does not show (``delete_account``, ``like_comment``,
            ``edit_comment_unseen``). Without them, every change of an idea's comments or votes shows in the idea's
            counts, score or ``updated_at``.
    """

    def __init__(self, tables: Tables, seed: int = 1, now: datetime = _START, *, hidden_changes: bool = False) -> None:
        ids = (int(key) for rows in tables.values() for key in rows if key.isdecimal())
        rng = random.Random(seed)
        new_ids = itertools.count(max(ids, default=0) + 1)
        self._world = World(tables, rng, now, new_ids, marks_ideas=not hidden_changes)
        self._frequencies = _VISIBLE | _HIDDEN if hidden_changes else _VISIBLE
        # Pauses have a generator of their own: how often the clock is moved must not change what happens.
        self._pauses = random.Random(f"pauses of {seed}")
        self._next_event = now + self._pause()

    @property
    def now(self) -> datetime:
        """The community's clock, UTC in whole seconds."""
        return self._world.now

    def step(self, n: int = 1) -> list[str]:
        """Let the next ``n`` events happen, and return their names (see ``EVENTS``)."""
        return self._run(lambda happened: len(happened) < n)

    def advance(self, to: datetime) -> list[str]:
        """Move the clock to ``to`` and return the names of the events that happened until then."""
        happened = self._run(lambda _: max(self.now, self._next_event) <= to)
        self._world.now = max(to, self.now)
        return happened

    def happen(self, event: str, n: int = 1) -> None:
        """Let one event happen ``n`` times, a second apart.

        Raises:
            ValueError: The community has nothing that the event could happen to.
        """
        for _ in range(n):
            self._world.now += timedelta(seconds=1)
            if not EVENTS[event](self._world):
                raise ValueError(f"{event}: the community has nothing that this could happen to")
        declare_counts(self._world.tables)

    def _run(self, goes_on: Callable[[list[str]], bool]) -> list[str]:
        happened: list[str] = []
        while goes_on(happened):
            self._world.now = max(self.now, self._next_event)
            self._next_event = self.now + self._pause()
            event = self._world.rng.choices([*self._frequencies], [*self._frequencies.values()])[0]
            if event(self._world):
                happened.append(event.__name__)
        declare_counts(self._world.tables)
        return happened

    def _pause(self) -> timedelta:
        return timedelta(seconds=self._pauses.randrange(1, _LONGEST_PAUSE))
