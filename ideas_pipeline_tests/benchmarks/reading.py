"""How an expert reads the API by hand: threads, keep-alive sessions, one request per page, each page once.

The bare script and the dlt pipeline share it. It runs in dlt's environment, so it imports nothing of the project.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import orjson
import requests

IN_FLIGHT = 32
PAGE_SIZE = 100
_AHEAD = 4 * IN_FLIGHT  # results that may wait until they are taken

Row = dict[str, Any]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Page(NamedTuple):
    """Records of a list, the id of the parent whose list it is (empty if none), and the total of the list."""

    parent: str
    records: list[Row]
    total: int


class Api:
    """A client of the API at ``base_url``, which ends with a slash."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._threads = threading.local()
        self._pool = ThreadPoolExecutor(IN_FLIGHT)

    def pages(self, path: str, since: str | None = None) -> Iterator[Page]:
        """All pages of a list: the first one says how many there are.

        Args:
            path: Such as ``votes``.
            since: Only records that changed at this moment or later, ISO 8601.
        """
        first = self._page(path, 1, since)
        yield first
        yield from self._in_threads(lambda number: self._page(path, number, since), _further_pages(first))

    def children(self, parents: Iterable[str], template: str) -> Iterator[Page]:
        """All pages of the lists of many parents, such as ``ideas/{}/votes``."""

        def whole(parent: str) -> list[Page]:
            path = template.format(parent)
            first = self._page(path, 1, None, parent)
            return [first, *(self._page(path, number, None, parent) for number in _further_pages(first))]

        for pages in self._in_threads(whole, parents):
            yield from pages

    def _in_threads(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results for all items, in order. No more items are begun than may wait."""
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) == _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _page(self, path: str, number: int, since: str | None, parent: str = "") -> Page:
        if not hasattr(self._threads, "session"):
            self._threads.session = requests.Session()
            self._threads.session.trust_env = False  # reading the environment takes a third of a request's CPU
            self._threads.session.headers["Authorization"] = "Bearer t"
        query = f"?page={number}&per_page={PAGE_SIZE}" + (f"&updated_since={since}" if since else "")
        answer = self._threads.session.get(f"{self._base_url}v2/{path}{query}", timeout=60)
        answer.raise_for_status()
        body = orjson.loads(answer.content)
        return Page(parent, body["data"], body["total"])


def _further_pages(first: Page) -> range:
    return range(2, -(-first.total // PAGE_SIZE) + 1)
