"""Many scopes at once: a bounded pool of threads fetches pages, and one thread advances the sweeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from ideas_pipeline.errors import (
    AuthenticationError,
    ContractError,
    IdeasApiError,
    RateLimited,
    Unavailable,
    UnexpectedResponse,
)
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.sync.completeness import SweptScope

# Pages that are requested or wait for a thread, per thread: enough that no thread idles while a batch is loaded.
_AHEAD = 4

# After so many failed scopes in a row the API is down, and further requests would only take up the night.
_GIVE_UP_AFTER = 10


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of a scope that no page brought before.

    Attributes:
        swept: the scope.
        records: the new records.
        finished: whether the scope has its verdict.
    """

    swept: SweptScope
    records: list[Record]
    finished: bool


def fetch(
    scopes: Iterable[SweptScope], page: Callable[[SweptScope, Position], Page], *, concurrency: int
) -> Iterator[Fetched]:
    """Sweep scopes, and yield their records in the order in which pages come.

    A scope that cannot be read is finished as incomplete, and the others go on.

    Args:
        scopes: the scopes to sweep; read lazily.
        page: returns one page of a scope; called from many threads.
        concurrency: how many pages are requested at a time.

    Raises:
        IdeasApiError: no other list can be read either: no token can be obtained, the contract is unusable, the request
            budget is spent, or one scope after another fails.
    """
    done: SimpleQueue[tuple[SweptScope, Future[Page]]] = SimpleQueue()
    wanted: deque[tuple[SweptScope, Position]] = deque()
    pending = 0
    failures = 0
    waiting = iter(scopes)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="fetch") as pool:

        def request(swept: SweptScope, position: Position) -> None:
            future = pool.submit(page, swept, position)
            future.add_done_callback(lambda f: done.put((swept, f)))

        try:
            while True:
                # The bound keeps pages from piling up while a batch is loaded.
                while pending < concurrency * _AHEAD:
                    if not wanted:
                        if (swept := next(waiting, None)) is None:
                            break
                        wanted.extend((swept, position) for position in swept.start())
                    request(*wanted.popleft())
                    pending += 1
                if not pending:
                    return
                swept, future = done.get()
                pending -= 1
                error = future.exception()
                if error is None:
                    fresh, follow = swept.take(future.result())
                    wanted.extend((swept, position) for position in follow)
                    failures = 0
                    if fresh or swept.finished:
                        yield Fetched(swept, fresh, swept.finished)
                elif isinstance(error, IdeasApiError) and not _is_fatal(error):
                    failures += isinstance(error, Unavailable | UnexpectedResponse)
                    if failures >= _GIVE_UP_AFTER:
                        raise error
                    swept.fail(error)
                    if swept.finished:
                        yield Fetched(swept, [], finished=True)
                else:
                    raise error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _is_fatal(error: IdeasApiError) -> bool:
    if isinstance(error, UnexpectedResponse):
        return False
    return isinstance(error, AuthenticationError | ContractError | RateLimited)
