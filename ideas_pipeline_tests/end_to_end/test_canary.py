"""Known secrets and addresses are searched for everywhere a sync leaves a trace."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.shape import Quirks, email_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import environment, settings_of
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, sync
from ideas_pipeline_tests.processes import run

TROUBLE = [
    Fault(kind="status", stream="auth.refresh", status=400, times=1),
    Fault(kind="status", stream="challenges", status=401, times=1),
    Fault(kind="status", stream="users", status=500, times=1),
    Fault(kind="html", stream="ideas", times=1),
    Fault(kind="poison_value", stream="comments", times=2),
    Fault(kind="poison_text", stream="votes", times=2),
    Fault(kind="status", stream="votes", status=403, times=1),
    Fault(kind="error_body", stream="comments", times=1),
]


def simulator() -> Simulator:
    running = Simulator(
        contract_with({}), small_village(2), quirks=Quirks(extra_fields=True), client=ApiClient(token_uses=60)
    )
    for fault in TROUBLE:
        running.faults.add(fault)
    return running


def secrets_of(running: Simulator) -> list[str]:
    return [running.client_secret, *running.issued_secrets]


def addresses_of(running: Simulator) -> list[str]:
    return [email_of(user) for user in running.tables["users"]]


def assert_absent(needles: list[str], haystack: bytes, where: str) -> None:
    for needle in needles:
        assert needle.encode() not in haystack, f"a secret or an address is in {where}"


def test_a_sync_leaves_no_secret_in_logs_results_or_warehouse(
    warehouse: Warehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    with caplog.at_level(logging.DEBUG), simulator() as running:
        result = sync(running, warehouse, state)
    assert result.verdict == "incomplete"
    needles = secrets_of(running) + addresses_of(running)
    assert len(running.issued_secrets) > 6, "tokens were renewed on the way"
    assert_absent(needles, caplog.text.encode(), "a log")
    assert_absent(needles, repr(result).encode() + str([s.error for s in result.streams]).encode(), "a result")
    assert_absent(needles, dumped(warehouse), "the database")
    listing = "\n".join(f"{path}" for path in state.rglob("*"))
    assert_absent(secrets_of(running), listing.encode(), "the token store's folder listing")
    assert {path.stat().st_mode & 0o077 for path in state.iterdir()} == {0}


def dumped(warehouse: Warehouse) -> bytes:
    """Everything that the warehouse holds; on SQLite the file itself too, with what was deleted in it."""
    with warehouse.engine.connect() as connection:
        tables = [connection.exec_driver_sql(f'SELECT * FROM "{name}"').all() for name in table_names(warehouse)]
    raw = repr(tables).encode()
    if warehouse.engine.dialect.name == "sqlite":
        path = Path(str(warehouse.engine.url.database))
        raw += b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
    return raw


def table_names(warehouse: Warehouse) -> list[str]:
    return sa.inspect(warehouse.engine).get_table_names()


@pytest.mark.parametrize("debug", ["", "1"], ids=["as usual", "with IDEAS_DEBUG=1"])
def test_a_command_that_fails_says_so_without_a_secret(debug: str, tmp_path: Path) -> None:
    with simulator() as running:
        running.auth.revoked = True
        command = Path(sys.executable).parent / "ideas-pipeline"
        variables = environment(**settings_of(running), IDEAS_DEBUG=debug)
        done = run([command, "sync"], env=variables, cwd=tmp_path)
    assert done.returncode == 2
    assert "client" in (done.stdout + done.stderr)
    assert_absent(secrets_of(running), (done.stdout + done.stderr).encode(), "the command's output")
