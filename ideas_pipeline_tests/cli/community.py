"""A community as the warehouse and this machine know it, for what ``ideas-pipeline status`` says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.run_lock import run_lock
from ideas_pipeline.tables.bookkeeping import ABSENCES, MARTS, REJECTED_RECORDS, SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.warehouse.runs import RunStart, finish_run, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.cli.terminal import COLUMNS, LINES, on_a_terminal
from ideas_pipeline_tests.warehouse.calls import call_writing

COUNTERS = {c.name: 0 for c in SYNC_STREAMS.columns if c.info["kind"] == "integer"}
SCOPE_COUNTERS = {c.name: 0 for c in SYNC_SCOPES.columns if c.info["kind"] == "integer"}
NOW = datetime.now(UTC)
STREAMS = ("challenges", "users", "ideas", "comments", "votes")
Window = tuple[datetime, datetime]
API = "https://api.example.com/v2/"
CONFIGURED = {"IDEAS_CLIENT_ID": "me", "IDEAS_CLIENT_SECRET": "x", "IDEAS_API_BASE_URL": API}


class Community:
    """A warehouse in ``folder`` to which things happen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = 0

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        with Warehouse.open(f"sqlite:///{self.folder}/.ideas/warehouse.db", "community") as opened:
            yield opened

    def begins(self, hours_ago: float, *streams: str, mode: str = "incremental", window: Window | None = None) -> str:
        """A run that began so long ago, and is at these streams."""
        self._runs += 1
        run_id, at = str(self._runs), NOW - timedelta(hours=hours_ago)
        with self.warehouse() as warehouse:
            call_writing(warehouse, start_run, RunStart(run_id, API, at, mode=mode, window=window))
            for stream in streams:
                call_writing(warehouse, start_stream, run_id, stream, at)
        return run_id

    def runs(
        self,
        hours_ago: float,
        verdict: str = "complete",
        reason: str | None = None,
        *streams: str,
        hidden: int = 0,
        mode: str = "incremental",
        window: Window | None = None,
    ) -> None:
        """A run of three minutes that began so long ago. ``reason``: of each stream."""
        at = NOW - timedelta(hours=hours_ago)
        run_id = self.begins(hours_ago, *(streams or STREAMS), mode=mode, window=window)
        with self.warehouse() as warehouse:
            for stream in streams or STREAMS:
                counts = COUNTERS | {"requests": 250, "hidden_changes": hidden}
                call_writing(warehouse, finish_stream, run_id, stream, at, verdict, reason, **counts)
            call_writing(warehouse, finish_run, run_id, verdict, reason, at + timedelta(minutes=3))

    def loads(self, run_id: str, stream: str, lists: int, hours_ago: float) -> None:
        self._insert(
            SYNC_SCOPES,
            *(
                SCOPE_COUNTERS
                | {"stream": stream, "scope": str(n), "run_id": run_id, "verdict": "complete"}
                | {"swept_at": NOW - timedelta(hours=hours_ago)}
                for n in range(lists)
            ),
        )

    def builds_marts(self, hours_ago: float) -> None:
        at = NOW - timedelta(hours=hours_ago)
        self._insert(MARTS, {"mart": "mart_funnel", "rows": 1, "as_of": at, "timezone": "UTC", "built_at": at})

    def holds(self, stream: str, rows: int) -> None:
        held = {"stream": stream, "scope": "1", "run_id": "1", "noticed_at": NOW, "held_because": "too many"}
        self._insert(ABSENCES, *(held | {"id": str(n)} for n in range(rows)))

    def rejects(self, table: str, records: int) -> None:
        reject = {"table_name": table, "scope": "", "reason": "no number", "first_seen_at": NOW, "run_id": "1"}
        self._insert(REJECTED_RECORDS, *(reject | {"record_key": f'["{n}"]', "payload": {}} for n in range(records)))

    def _insert(self, table: sa.Table, *rows: dict[str, object]) -> None:
        with self.warehouse() as warehouse, warehouse.engine.begin() as connection:
            connection.execute(sa.insert(table), [row | {"community": "community"} for row in rows])

    @contextmanager
    def account_held(self) -> Iterator[None]:
        """While a sync runs on this machine."""
        account = Credentials("me", "x").fingerprint(API)
        with run_lock(self.folder / ".ideas", account, "ideas-pipeline sync", print):
            yield

    def status(self, **variables: str) -> str:
        """Its output on a terminal, which always fits on the screen."""
        lines = on_a_terminal("status", folder=self.folder, **(CONFIGURED | variables))
        assert len(lines) < LINES, "\n".join(lines)
        assert max(map(len, lines)) <= COLUMNS
        return " ".join(" ".join(lines).split())

    def as_json(self, **variables: str) -> dict[str, Any]:
        done = ideas_pipeline("status", "--json", folder=self.folder, **(CONFIGURED | variables))
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown
