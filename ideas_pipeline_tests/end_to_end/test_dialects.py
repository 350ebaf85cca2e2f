"""After a sync the warehouse is the community, in every dialect and in random combinations of them."""

from __future__ import annotations

import logging
import os
import random
import secrets
from collections.abc import Sequence
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.dialects import DIALECTS, Dialect, combined, quirks_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

_log = logging.getLogger(__name__)
_RUN = os.environ.get("DIALECTS_SEED") or str(secrets.randbelow(10**9))


def hamlet(seed: int) -> Tables:
    """A community that is as small as lists of several short pages can be."""
    return generate(Size(challenges=2, ideas=6, comments=14, votes=14, users=13), seed)


def serving(dialect: Dialect, contract: Contract, tables: Tables, page_cap: int | None) -> Simulator:
    simulator = Simulator(
        contract,
        tables,
        client=ApiClient(token_uses=dialect.token_uses),
        rate_limit=dialect.rate_limit,
        page_cap=dialect.page_cap or page_cap,
        quirks=quirks_of(dialect),
    )
    for fault in dialect.faults:
        simulator.faults.add(fault)
    return simulator


def assert_read_true(names: Sequence[str], warehouse: Warehouse, folder: Path, *, seed: int, size: int) -> None:
    """Two syncs from an API that speaks these dialects are complete and true, and the second changes nothing.

    Args:
        names: the dialects.
        warehouse: an empty one.
        folder: for the client's state.
        seed: of the community.
        size: of a page.
    """
    dialect = combined(names)
    paged = {"streams": {name: {"paging": {"size": size}} for name in load_contract(None).streams}}
    spoken = merge(merge(contract_with({}).model_dump(by_alias=True), paged), dialect.contract)
    contract = Contract.model_validate(spoken)
    tables = hamlet(seed)
    dialect.change(tables)
    with serving(dialect, contract, tables, size) as simulator:
        for night in ("the first", "the second"):
            result = sync(simulator, warehouse, folder)
            assert [s.reason for s in result.streams] == [None] * 5, night
            assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)
        assert not result.changed
        assert simulator.counters.logins == 1


@pytest.mark.parametrize("name", DIALECTS)
def test_the_warehouse_is_true_in_every_dialect(name: str, sqlite_url: str, tmp_path: Path) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        assert_read_true([name], warehouse, tmp_path, seed=3, size=6)


@pytest.mark.parametrize("number", range(30))
def test_the_warehouse_is_true_in_random_combinations(number: int, sqlite_url: str, tmp_path: Path) -> None:
    """To repeat a run: ``DIALECTS_SEED=… pytest …``, with the seed that the failure prints."""
    drawn = random.Random(f"{_RUN}/{number}")
    names = draw(drawn)
    seed, size = drawn.randrange(1000), drawn.choice((2, 3, 6, 100))
    # pytest shows this if the test fails.
    _log.warning("DIALECTS_SEED=%s combination %d: %s; seed %d, pages of %d", _RUN, number, names, seed, size)
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        assert_read_true(names, warehouse, tmp_path, seed=seed, size=size)


def draw(drawn: random.Random) -> list[str]:
    """Two to six dialects that do not contradict each other."""
    names: list[str] = []
    for name in drawn.sample(list(DIALECTS), drawn.randint(2, 6)):
        try:
            combined([*names, name])
        except ValueError:
            continue
        names.append(name)
    return names


def test_many_dialects_at_once_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    names = ("own-page-size", "expired-as-200", "refresh-token-stays", "rate-limit-as-403", "times-without-zone")
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        assert_read_true(names, warehouse, tmp_path, seed=3, size=6)
