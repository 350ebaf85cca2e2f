"""A community that lives and a pipeline that follows it, in any order of what can happen to both.

IDEAS_SOAK is the number of stories on each engine; beyond the usual number they differ each time.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full, Incremental, Mode, RunResult, Window
from ideas_pipeline.warehouse.absences import confirm_absences, held
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.living import CONTRACT, Witness, sync_and_kill
from ideas_pipeline_tests.end_to_end.pipeline import stream, sync, village
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

STORIES = 4
MODES = st.sampled_from([Incremental(), Full()])


class Story(RuleBasedStateMachine):
    """One community, one warehouse, from the first sync to the last."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="story-")
        self.path = Path(self.folder.name)
        self.url = url.replace("FOLDER", self.folder.name)
        _empty(self.url)
        self.simulator = Simulator(CONTRACT, village(seed=9)).__enter__()
        self.warehouse = Warehouse.open(self.url, COMMUNITY)
        self.witness = Witness(self.simulator, LivingCommunity(self.simulator.tables, seed=9, hidden_changes=True))
        self.all_visible = True
        self.run(Full())

    def run(self, mode: Mode) -> RunResult:
        result = sync(self.simulator, self.warehouse, self.path, mode=mode)
        self.witness.assert_no_living_row_is_called_absent(self.warehouse.engine)
        return result

    @rule(events=st.integers(1, 15))
    def the_community_lives(self, events: int) -> None:
        self.witness.live(events)

    @rule(mode=MODES)
    def a_night_or_a_week_ends(self, mode: Mode) -> None:
        result = self.run(mode)
        if self.all_visible:
            assert result.verdict == "complete" or self.held(), result
            # A full run that goes on does not read again what was proven.
            skipped = stream(result, "ideas").counts.skipped
            if not skipped and not self.held() & {"challenges", "ideas"}:
                self.witness.observe()
        else:
            assert result.verdict == "incomplete"

    @rule(mode=MODES, every=st.integers(1, 8))
    def a_run_reads_while_the_community_lives(self, mode: Mode, every: int) -> None:
        with self.witness.life_goes_on(every):
            self.run(mode)

    @rule(days_ago=st.integers(0, 300), days=st.integers(1, 60))
    def some_days_are_read_again(self, days_ago: int, days: int) -> None:
        end = self.witness.life.now - timedelta(days=days_ago)
        assert self.run(Window(end - timedelta(days=days), end)).streams

    @rule(mode=MODES, after_requests=st.integers(0, 60), and_seconds=st.floats(0, 0.1))
    def a_run_is_killed(self, mode: Mode, after_requests: int, and_seconds: float) -> None:
        sync_and_kill(self.simulator, self.url, self.path, mode, after_requests=after_requests, and_seconds=and_seconds)
        self.witness.assert_no_living_row_is_called_absent(self.warehouse.engine)

    @precondition(lambda self: self.all_visible)
    @rule(hidden=st.integers(1, 2), role=st.sampled_from(["admin", "user"]))
    def rights_shrink(self, hidden: int, role: str) -> None:
        challenges = list(self.simulator.tables["challenges"])
        self.simulator.account(role="user" if role == "user" else "admin", hidden_challenges=challenges[:hidden])
        self.all_visible = False

    @precondition(lambda self: not self.all_visible)
    @rule()
    def rights_return(self) -> None:
        self.simulator.account()
        self.all_visible = True

    def held(self) -> set[str]:
        """The streams with rows that are kept for an operator."""
        return {row.stream for row in call_reading(self.warehouse, held)}

    def the_operator_confirms(self) -> None:
        """Who knows the community says which of the held rows are really gone."""
        for row in call_reading(self.warehouse, held):
            assert row.id not in self.simulator.tables[row.stream], f"{row} is there, was seen, and is still held"
        for name, spec in CONTRACT.streams.items():
            ids = [row.id for row in call_reading(self.warehouse, held) if row.stream == name]
            call_writing(
                self.warehouse,
                confirm_absences,
                name,
                ids,
                list(spec.embedded),
                Deletion("by hand", datetime.now(UTC), "gone (confirmed)"),
            )

    def teardown(self) -> None:
        try:
            self.simulator.account()
            # The first may finish one that was broken off, the second reads it all anew.
            for _ in range(2):
                last = self.run(Full())
            if self.held():
                self.the_operator_confirms()
                last = self.run(Full())
            self.witness.observe()
            assert last.verdict == "complete", last
            assert_true_to(self.warehouse.engine, COMMUNITY, CONTRACT, self.simulator.tables)
            self.witness.assert_history_holds(self.warehouse.engine)
        finally:
            self.warehouse.close()
            self.simulator.__exit__(None, None, None)
            self.folder.cleanup()


def _empty(url: str) -> None:
    """Every story begins in an empty database; a file is new each time."""
    if not url.startswith("postgresql"):
        return
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_whatever_happens_no_living_row_is_lost_and_in_the_end_the_warehouse_is_true(
    engine: str, request: pytest.FixtureRequest
) -> None:
    url = "sqlite:///FOLDER/warehouse.db" if engine == "sqlite" else request.getfixturevalue("postgresql_url")
    stories = int(os.environ.get("IDEAS_SOAK", STORIES))
    run_state_machine_as_test(
        lambda: Story(url),
        settings=settings(
            max_examples=stories,
            stateful_step_count=10,
            derandomize=stories <= STORIES,
            phases=[Phase.generate],  # to shorten a story costs minutes, and it is short
            suppress_health_check=list(HealthCheck),
        ),
    )
