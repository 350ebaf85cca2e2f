"""A night with a fault of the API ends as documented and loses no living row, and the next night is true again.

A run of the suite tries a sample of faults, each on one stream and one engine: always the same one, unless FAULTS_SEED
draws another. With IDEAS_SOAK, all faults are tried on all streams and engines.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables, drop_votes
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync
from ideas_pipeline_tests.end_to_end.truth import actual, assert_true_to, expected
from ideas_pipeline_tests.faults.api_faults import API_FAULTS, ApiFault, some_scope
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

ENGINES = ("sqlite", "postgresql")
_QUICK = {"attempts": 2, "deadline": 5, "read_timeout": 1}
_STREAMS = contract_with({}).streams
CONTRACT = contract_with({"limits": _QUICK, "streams": {name: {"paging": {"size": 3}} for name in _STREAMS}})
_CURSOR = {"!": {"style": "cursor", "cursor": ["next"], "size": 3}}
CURSOR_CONTRACT = contract_with({"limits": _QUICK, "streams": {name: {"paging": _CURSOR} for name in _STREAMS}})
_COMBINATIONS = [(fault, name, engine) for fault in API_FAULTS for name in fault.streams for engine in ENGINES]
if "IDEAS_SOAK" not in os.environ:
    _COMBINATIONS = random.Random(os.environ.get("FAULTS_SEED", "1")).sample(_COMBINATIONS, 12)


@pytest.mark.parametrize(
    ("fault", "name", "engine"),
    [pytest.param(*each, id=f"{each[0].title}-{each[1]}-{each[2]}") for each in _COMBINATIONS],
)
def test_a_night_with_a_fault_ends_as_documented_and_the_next_one_is_true(
    fault: ApiFault, name: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    tables = generate(Size(challenges=2, ideas=8, comments=16, votes=16, users=12), seed=5)
    url = request.getfixturevalue(f"{engine}_url")
    contract = CURSOR_CONTRACT if fault.has_cursors else CONTRACT
    with Simulator(contract, tables) as simulator, Warehouse.open(url, COMMUNITY) as warehouse:
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        with simulator.changing() as changing:
            take_back_a_vote(changing)
        if fault.meets_login:
            (tmp_path / "tokens.json").unlink()
        for rule in fault.faults(name, some_scope(tables, name)):
            simulator.faults.add(rule)
        verdict, reason = night(simulator, warehouse, tmp_path, name)
        assert verdict == fault.ends
        assert fault.says in reason
        assert bool(fault.says) == bool(reason)
        for table in contract.tables():
            lost = (
                expected(contract, simulator.tables, table).keys() - actual(warehouse.engine, COMMUNITY, table).keys()
            )
            assert not lost, f"{table}: {len(lost)} living rows are missing"

        simulator.faults.clear()
        verdict, reason = night(simulator, warehouse, tmp_path, name)
        assert (verdict == "incomplete" and fault.says in reason) if fault.is_said_twice else verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def night(simulator: Simulator, warehouse: Warehouse, folder: Path, name: str) -> tuple[str, str]:
    """How the stream ends, and why."""
    try:
        result = sync(simulator, warehouse, folder)
    except AuthenticationError as error:
        return "failed", str(error)
    met = stream(result, name)
    return met.verdict, met.reason or ""


def take_back_a_vote(tables: Tables) -> None:
    last = tables["votes"][next(reversed(tables["votes"]))]
    drop_votes(tables, lambda row: row is last)
    declare_counts(tables)
