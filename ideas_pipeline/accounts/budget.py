"""Request budget of one account in its row, on the database's clock.

It keeps the same counts as the file of one machine (``ideas_api/rate_limit.py``). One statement locks the row, finds
the first free moment and reserves it. Machines sleep for the seconds that the database gives them, so their own clocks
do not matter.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

import sqlalchemy as sa

from ideas_pipeline.accounts.database import AccountDatabase
from ideas_pipeline.contract.model import Limits
from ideas_pipeline.errors import Unavailable

# One row can be updated about 400 times per second. Above this rate, requests are reserved in blocks.
_SINGLY = 50
_BLOCK_SECONDS = 0.05

# A minute counts until an hour after its end: (minute + 61) * 60. If the database's clock is set back, as another
# server's can be, the moments move back too. `answer` is one row: an UPDATE that waited for another one evaluates its
# expressions again, but not the queries in WITH.
_RESERVE = sa.text("""
WITH mine AS MATERIALIZED (
    SELECT next_at, written_at, minutes, extract(epoch FROM clock_timestamp())::float8 AS now
    FROM _accounts WHERE account = :account FOR UPDATE
), clock AS MATERIALIZED (
    SELECT now, next_at, minutes, greatest(written_at - now, 0) AS back FROM mine
), used AS MATERIALIZED (
    SELECT minute, count FROM clock, LATERAL (
        SELECT key::bigint - floor(back / 60)::bigint AS minute, value::bigint AS count FROM jsonb_each_text(minutes)
    ) AS counts
    WHERE (minute + 61) * 60 > now
), first AS MATERIALIZED (
    SELECT now, greatest(now, next_at - back) AS moment FROM clock
), candidates AS (
    SELECT moment FROM first UNION SELECT (minute + 61) * 60 FROM used, first WHERE (minute + 61) * 60 > first.moment
), free AS MATERIALIZED (
    SELECT min(moment) AS moment FROM candidates
    WHERE CAST(:per_hour AS bigint) IS NULL OR CAST(:n AS bigint) + (
        SELECT coalesce(sum(count), 0) FROM used WHERE (minute + 61) * 60 > candidates.moment
    ) <= :per_hour
), counted AS (
    SELECT minute, count FROM used
    UNION ALL SELECT floor((moment + CAST(:gap AS float8) * (:n - 1)) / 60)::bigint, :n FROM free
), answer AS MATERIALIZED (
    SELECT free.moment, first.now, (
        SELECT jsonb_object_agg(minute, count)
        FROM (SELECT minute, sum(count) AS count FROM counted GROUP BY minute) AS minutes
    ) AS minutes
    FROM free, first
), taken AS (
    UPDATE _accounts SET next_at = answer.moment + :gap * :n, written_at = answer.now, minutes = answer.minutes
    FROM answer WHERE account = :account AND answer.moment - answer.now <= :longest
    RETURNING account
)
SELECT moment - now AS away, EXISTS (SELECT FROM taken) AS is_reserved FROM answer
""")


class BudgetRow:
    """The rates of one account, shared by all threads, processes and machines. See ``RequestBudget``.

    Args:
        database: where the row is.
        limits: the contract's limits.
        check: raises Unavailable if this process has lost the account's run lock.
    """

    def __init__(self, database: AccountDatabase, limits: Limits, check: Callable[[], None]) -> None:
        rate, self._per_hour = limits.requests_per_second, limits.requests_per_hour
        self._database = database
        self._check = check
        self._gap = 1 / rate if rate else 0.0
        self._block = math.ceil(rate * _BLOCK_SECONDS) if rate and rate > _SINGLY else 1
        self._lock = Lock()
        self._waiting = 0
        # Reserved moments (``time.monotonic``) that threads of this process wait for.
        self._moments: deque[float] = deque()
        self._counting = Lock()

    def wait(self, longest: float) -> float | None:
        """See ``RequestBudget.wait``."""
        self._check()
        if not self._gap and self._per_hour is None:
            return None
        self._count(1)
        try:
            with self._lock:
                away = self._away(longest)
        finally:
            self._count(-1)
        if away > longest:
            return away
        time.sleep(max(away, 0))
        self._check()
        return None

    def _count(self, change: int) -> None:
        with self._counting:
            self._waiting += change

    def _away(self, longest: float) -> float:
        """Seconds until a reserved moment; if they are more than ``longest``, nothing was reserved."""
        while self._moments and self._moments[0] < time.monotonic() - self._gap:
            # The thread that it was for has given up. Used now, it would come on top of the moments after it.
            self._moments.popleft()
        if not self._moments:
            wanted = max(1, min(self._block, self._waiting, self._per_hour or self._block))
            row = self._database.execute(
                _RESERVE,
                account=self._database.account,
                n=wanted,
                gap=self._gap,
                per_hour=self._per_hour,
                longest=longest,
            )
            received = time.monotonic()
            if row is None:
                raise _no_row()
            away = float(row.away)
            if not row.is_reserved:
                return away
            self._moments.extend(received + away + self._gap * number for number in range(wanted))
        away = self._moments[0] - time.monotonic()
        if away <= longest:
            self._moments.popleft()
        return away


def _no_row() -> Unavailable:
    return Unavailable(
        "the request budget cannot be kept: the account's row in _accounts was deleted", hint="Run it again."
    )
