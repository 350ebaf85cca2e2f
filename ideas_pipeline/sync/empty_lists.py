"""Fetch scopes, and let those that came empty wait until it is certain that the access token was valid.

Some APIs treat an expired token like none and show lists without records, with 200, 204 or 404. Nothing in such a
response differs from that of an empty list. But what has expired stays expired: if a list with records still shows
them, the token was valid when earlier responses came. So one request settles many empty lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.fetching import Fetched, fetch
from ideas_pipeline.sync.run import Run
from ideas_pipeline.text import counted

# So many empty lists wait at most before a request settles them.
_MOST_WAITING = 200
# How often empty lists are read before it is given up.
_ATTEMPTS = 4


def fetch_with_valid_token(
    run: Run, scopes: Iterable[SweptScope], page: Callable[[SweptScope, Position], Page]
) -> Iterator[Fetched]:
    """As ``fetch``, but scopes that an expired token may have emptied are read again with a new one.

    Args:
        run: the run.
        scopes: the scopes to sweep; read lazily.
        page: returns one page of a scope; called from many threads.

    Raises:
        IdeasApiError: as ``fetch``.
    """
    for _ in range(_ATTEMPTS):
        waiting = _Waiting(run)
        for got in fetch(waiting.begun(scopes), page, concurrency=run.source.contract.limits.concurrency):
            yield from waiting.sorted(got)
        yield from waiting.settled()
        scopes = waiting.to_repeat
        if not scopes:
            return
        for swept in scopes:
            swept.start_over()
    for swept in scopes:
        swept.give_up("the API showed no records while access tokens expired, again and again")
        yield Fetched(swept, [], finished=True)


class _Waiting:
    """Scopes that came empty, and wait for proof that the token was valid.

    Attributes:
        to_repeat: those that got none.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._auth = run.source.client.auth
        self._tokens: dict[str, int] = {}  # by scope, ``Auth.unrefused`` when its sweep began
        self._waiting: list[Fetched] = []
        self._parents_count = False
        self.to_repeat: list[SweptScope] = []

    def begun(self, scopes: Iterable[SweptScope]) -> Iterator[SweptScope]:
        """The scopes, each of which is swept from now on."""
        for swept in scopes:
            self._tokens[swept.scope] = self._auth.unrefused
            yield swept

    def sorted(self, got: Fetched) -> Iterator[Fetched]:
        """Let it wait if its scope came empty. Yields those that need not wait, or not any more."""
        if not (got.finished and got.swept.came_empty):
            self._parents_count |= bool(got.swept.declared)
            yield got
            return
        self._waiting.append(got)
        if len(self._waiting) >= _MOST_WAITING:
            yield from self.settled()

    def settled(self) -> Iterator[Fetched]:
        """Decide about all that wait. Yields those that are empty."""
        doubtful: list[SweptScope] = []
        for got in self._waiting:
            if self._parents_count and got.swept.declared == 0:
                yield got
            else:
                doubtful.append(got.swept)
        self._waiting = []
        valid = self._token_valid_until_now(doubtful) if doubtful else None
        for swept in doubtful:
            if self._tokens[swept.scope] == valid:
                yield Fetched(swept, [], finished=True)
            else:
                self.to_repeat.append(swept)

    def _token_valid_until_now(self, doubtful: list[SweptScope]) -> int | None:
        """``Auth.unrefused`` if a list still shows its records; None if not, and there is a new token.

        A token that this run got is believed until the first list with records.
        """
        source = self._run.source
        shown = source.shows_records()
        doubtful[-1].requests += shown.requests
        if shown.records or (shown.records is None and not self._auth.is_stored):
            return self._auth.unrefused
        self._auth.replace()
        again = source.shows_records()
        doubtful[-1].requests += again.requests
        if again.records:
            lists = f"{counted(len(doubtful), 'list')} that came empty"
            self._run.progress.noted(
                f"The access token expired, and the API did not say so: {lists} will be read again with a new one."
                f"{source.advice_on_expiry()}"
            )
        elif again.records is False:
            source.forget_records()
        return None
