"""A sync that is killed at any moment: whoever reads the warehouse meanwhile sees whole tables, and nothing is lost.

IDEAS_KILLS says how often it is killed on each engine.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.tables.community import CHALLENGE_STAGES, CHALLENGES, COMMENTS, IDEAS, VOTE_RATINGS, VOTES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.absences import absences, confirm_absences
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import COMMAND, environment, settings_of
from ideas_pipeline_tests.end_to_end.living import CONTRACT, Witness, sync_and_kill
from ideas_pipeline_tests.end_to_end.pipeline import sync, village
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.processes import run, started
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

KILLS = int(os.environ.get("IDEAS_KILLS", "10"))


class Reader(threading.Thread):
    """Looks at the warehouse all the while, each time at one committed state, and notes whatever is not whole."""

    def __init__(self, url: str, pause: float) -> None:
        super().__init__(daemon=True)
        self._pause = pause
        engine = sa.create_engine(url)
        self._engine = engine if engine.dialect.name == "sqlite" else self._at_one_instant(engine)
        self._ends = threading.Event()
        self.looks = 0
        self.broken: list[str] = []
        self.states: set[str | None] = set()

    @staticmethod
    def _at_one_instant(engine: sa.Engine) -> sa.Engine:
        return engine.execution_options(isolation_level="REPEATABLE READ")

    def run(self) -> None:
        while not self._ends.is_set():
            with self._engine.begin() as connection:
                if self._engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN")
                self.broken += not_whole(connection)
                self.states.add(
                    connection.scalar(sa.select(sa.func.max(SYNC_SCOPES.c.swept_at)).select_from(SYNC_SCOPES))
                )
            self.looks += 1
            time.sleep(self._pause)

    def end(self) -> None:
        self._ends.set()
        self.join()
        self._engine.dispose()


@contextmanager
def reader(url: str, pause: float = 0.03) -> Iterator[Reader]:
    running = Reader(url, pause)
    running.start()
    try:
        yield running
    finally:
        running.end()


def not_whole(connection: sa.Connection) -> list[str]:
    """What is half loaded in the state that ``connection`` sees: a sentence for each."""
    return [*_lists_not_whole(connection), *_parts_not_whole(connection), *_books_not_in_order(connection)]


def _lists_not_whole(connection: sa.Connection) -> Iterator[str]:
    """A list has as many rows as its last reading saw, where that was complete and the idea is still there."""
    books = SYNC_SCOPES.c
    for name, table in (("comments", COMMENTS), ("votes", VOTES)):
        last = (
            sa.select(books.scope, sa.func.max(books.swept_at).label("swept_at"))
            .where(books.stream == name)
            .group_by(books.scope)
            .subquery()
        )
        waiting = sa.select(ABSENCES.c.id).where(ABSENCES.c.stream == name)
        rows = (
            sa.select(table.c.idea_id, sa.func.count().label("rows"))
            .where(table.c._deleted_at.is_(None), table.c.id.not_in(waiting))
            .group_by(table.c.idea_id)
            .subquery()
        )
        query = (
            sa.select(books.scope, books.seen, books.rejected, sa.func.coalesce(rows.c.rows, 0))
            .select_from(SYNC_SCOPES)
            .join(last, sa.and_(last.c.scope == books.scope, last.c.swept_at == books.swept_at))
            .join(IDEAS, sa.and_(IDEAS.c.id == books.scope, IDEAS.c._deleted_at.is_(None)))
            .outerjoin(rows, rows.c.idea_id == books.scope)
            .where(books.stream == name, books.verdict == "complete")
        )
        for scope, seen, rejected, found in connection.execute(query):
            if found != seen - rejected:
                yield f"{name} of {scope}: {seen} seen, {rejected} rejected, {found} there"


def _parts_not_whole(connection: sa.Connection) -> Iterator[str]:
    """Three ratings to a scorecard, three stages to a funnel or milestone challenge: all of them or none."""
    for table, owner, parent, condition in (
        (VOTE_RATINGS, "vote_id", VOTES, VOTES.c.voting_type == "scorecard"),
        (CHALLENGE_STAGES, "challenge_id", CHALLENGES, CHALLENGES.c.type != "standard"),
    ):
        live = sa.select(table).where(table.c._deleted_at.is_(None)).subquery()
        query = (
            sa.select(parent.c.id, sa.func.count(live.c[owner]))
            .select_from(parent)
            .outerjoin(live, live.c[owner] == parent.c.id)
            .where(condition, parent.c._deleted_at.is_(None))
            .group_by(parent.c.id)
        )
        for key, count in connection.execute(query):
            if count != 3:
                yield f"{table.name} of {key}: {count} of 3"


def _books_not_in_order(connection: sa.Connection) -> Iterator[str]:
    books = SYNC_SCOPES.c
    total = books.inserted + books.updated + books.unchanged + books.rejected
    for row in connection.execute(sa.select(SYNC_SCOPES).where(books.seen != total)):
        yield f"{row.stream} {row.scope}: the counts do not add up"
    proof = sa.exists().where(
        books.run_id == SCOPES.c.run_id,
        books.stream == SCOPES.c.stream,
        books.scope == SCOPES.c.scope,
        books.verdict == "complete",
    )
    for row in connection.execute(sa.select(SCOPES).where(SCOPES.c.completed_at.is_not(None), ~proof)):
        yield f"{row.stream} {row.scope}: called proven by a run that did not prove it"
    open_ = IDEA_HISTORY.c
    now = (
        sa.select(open_.idea_id, open_.value)
        .where(open_.attribute == "challenge", open_.observed_to.is_(None))
        .subquery()
    )
    ideas = (
        sa.select(IDEAS.c.id, IDEAS.c.challenge_id, now.c.value)
        .outerjoin(now, now.c.idea_id == IDEAS.c.id)
        .where(IDEAS.c._deleted_at.is_(None))
    )
    for key, challenge, recorded in connection.execute(ideas):
        if challenge != recorded:
            yield f"idea {key} is in challenge {challenge}, and its history says {recorded}"


def confirm_what_is_held(witness: Witness, warehouse: Warehouse) -> None:
    """What ``absences confirm`` does for an operator who knows that these rows are gone. And so they are."""
    for stream, spec in CONTRACT.streams.items():
        held = {row for row, candidate in call_reading(warehouse, absences, stream).items() if candidate.held_because}
        assert held <= witness.gone[stream]
        call_writing(
            warehouse, confirm_absences, stream, held, list(spec.embedded), Deletion("operator", datetime.now(UTC))
        )


@pytest.mark.slow
@pytest.mark.timeout(60 * KILLS)
def test_however_often_a_sync_is_killed_no_half_loaded_table_is_seen_and_nothing_is_lost_or_double(
    warehouse_url: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    seeds = random.Random(20)
    with Simulator(CONTRACT, village(seed=4)) as simulator:
        witness = Witness(simulator, LivingCommunity(simulator.tables, seed=4))
        sync(simulator, warehouse, tmp_path, mode=Full())
        requests = len(simulator.log)
        kills = 0
        with reader(str(warehouse.engine.url.render_as_string(hide_password=False))) as looking:
            while kills < KILLS:
                witness.live(seeds.randrange(6))
                kills += sync_and_kill(
                    simulator,
                    warehouse_url,
                    tmp_path,
                    seeds.choice([Incremental(), Full()]),
                    after_requests=seeds.randrange(requests),
                    and_seconds=seeds.random() * 0.1,
                )
                witness.assert_no_living_row_is_called_absent(warehouse.engine)
            # The first finishes what was broken off. Between so many broken runs more can really have gone than the
            # guard believes at once, so that an operator is asked. The second reads it all anew.
            sync(simulator, warehouse, tmp_path, mode=Full())
            confirm_what_is_held(witness, warehouse)
            last = sync(simulator, warehouse, tmp_path, mode=Full())
        assert looking.broken == []
        assert looking.looks > KILLS
        assert len(looking.states) > 1
        assert last.verdict == "complete", [s.reason for s in last.streams]
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
        assert not sync(simulator, warehouse, tmp_path, mode=Full()).changed


@pytest.mark.slow
def test_a_killed_command_goes_on_from_its_finished_lists(sqlite_url: str, tmp_path: Path) -> None:
    """The real command in a process of its own, killed with SIGKILL while it reads votes, and started again."""
    contract = tmp_path / "contract.yaml"
    contract.write_text(CONTRACT.model_dump_json(by_alias=True))
    with Simulator(CONTRACT, village(seed=6)) as simulator:
        variables = environment(
            **settings_of(simulator),
            IDEAS_COMMUNITY=COMMUNITY,
            IDEAS_CONTRACT=str(contract),
            IDEAS_WAREHOUSE_URL=sqlite_url,
            IDEAS_STATE_DIR=str(tmp_path / "state"),
        )
        command = [*COMMAND, "sync", "--full"]
        simulator.latency = 0.01
        with started(command, cwd=tmp_path, env=variables, stdout=DEVNULL) as first:
            while not any(request.stream == "votes" for request in simulator.log):
                assert first.poll() is None
                time.sleep(0.005)
            first.send_signal(signal.SIGKILL)
            assert first.wait() == -signal.SIGKILL
        simulator.reset_log()
        assert run(command, cwd=tmp_path, env=variables).returncode == 0
        assert {request.stream for request in simulator.log if not request.stream.startswith("auth.")} <= {
            "account",
            "votes",
        }
        with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
            assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
            query = sa.select(SYNC_RUNS.c.verdict).order_by(SYNC_RUNS.c.started_at)
            with warehouse.engine.connect() as connection:
                assert list(connection.scalars(query))[-1] == "complete"
