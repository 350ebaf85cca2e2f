"""Many lists at once: pages are fetched by a bounded pool of threads, the readings are advanced in one place."""

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
from ideas_pipeline.sync.completeness import Reading

# Pages under way or waiting for a thread, per thread: enough that no thread idles while a batch is loaded.
_AHEAD = 4

# So many failed lists in a row, and none read in between: the API is down, and asking on would only take the night.
_GIVE_UP_AFTER = 10


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of a scope at first sight, and whether that was all."""

    reading: Reading
    records: list[Record]
    finished: bool


def fetch(readings: Iterable[Reading], page: Callable[[str, Position], Page], *, concurrency: int) -> Iterator[Fetched]:
    """Read all lists, ``concurrency`` pages at a time, and yield what comes, in the order in which it comes.

    ``page`` is called from many threads with a scope and a position. A list that cannot be read is finished as
    incomplete, and the others go on. Raises IdeasApiError where going on makes no sense: no token can be had, the
    contract is unusable, the budget is spent, or one list after another fails.
    """
    done: SimpleQueue[tuple[Reading, Future[Page]]] = SimpleQueue()
    wanted: deque[tuple[Reading, Position]] = deque()
    under_way = 0
    failures = 0
    waiting = iter(readings)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="fetch") as pool:

        def ask(reading: Reading, position: Position) -> None:
            future = pool.submit(page, reading.scope, position)
            future.add_done_callback(lambda f: done.put((reading, f)))

        try:
            while True:
                # No more than this is ever on its way, so that pages do not pile up while a batch is loaded.
                while under_way < concurrency * _AHEAD:
                    if not wanted:
                        if (reading := next(waiting, None)) is None:
                            break
                        wanted.extend((reading, position) for position in reading.start())
                    ask(*wanted.popleft())
                    under_way += 1
                if not under_way:
                    return
                reading, future = done.get()
                under_way -= 1
                error = future.exception()
                if error is None:
                    answer = future.result()
                    fresh, follow = reading.take(answer)
                    wanted.extend((reading, position) for position in follow)
                    failures = 0
                    if fresh or reading.finished:
                        yield Fetched(reading, fresh, reading.finished)
                elif isinstance(error, IdeasApiError) and not _hopeless(error):
                    failures += isinstance(error, Unavailable | UnexpectedResponse)
                    if failures >= _GIVE_UP_AFTER:
                        raise error
                    reading.fail(error)
                    if reading.finished:
                        yield Fetched(reading, [], finished=True)
                else:
                    raise error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _hopeless(error: IdeasApiError) -> bool:
    if isinstance(error, UnexpectedResponse):
        return False
    return isinstance(error, AuthenticationError | ContractError | RateLimited)
