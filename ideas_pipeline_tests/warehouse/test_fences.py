"""Fencing: a run whose run lock was taken over writes nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, is_retryable
from ideas_pipeline.tables.bookkeeping import FENCES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, live, load

ACCOUNT, OTHER = "a" * 64, "b" * 64


def test_a_run_writes_until_a_later_one_has_begun(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    with warehouse.fenced(ACCOUNT, 7) as first:
        load(first, "ideas", [idea("1")], on=1)
        with warehouse.fenced(ACCOUNT, 8) as second:
            with pytest.raises(WarehouseError, match="taken over the API account of the community acme") as caught:
                load(first, "ideas", [idea("2")], on=2)
            assert is_retryable(caught.value)
            load(second, "ideas", [idea("3")], on=3)
            with other_warehouse.fenced(ACCOUNT, 1) as theirs:
                load(theirs, "ideas", [idea("1")], on=4)
    assert sorted(live(warehouse, "ideas")) == [("1",), ("1",), ("3",)], "those of the other community, too"


def test_a_run_that_wakes_before_it_has_written_anything_does_not_begin(warehouse: Warehouse) -> None:
    with warehouse.fenced(ACCOUNT, 8):
        pass
    with pytest.raises(WarehouseError, match="writes nothing more"), warehouse.fenced(ACCOUNT, 7):
        raise AssertionError("it began")


def test_another_account_has_numbers_of_its_own(warehouse: Warehouse) -> None:
    with warehouse.fenced(ACCOUNT, 8) as before, warehouse.fenced(OTHER, 1) as now:
        load(now, "ideas", [idea("1")], on=1)
        with pytest.raises(WarehouseError):
            load(before, "ideas", [idea("2")], on=2)


def test_without_a_number_nothing_is_compared(warehouse: Warehouse) -> None:
    with warehouse.fenced(ACCOUNT, None) as run:
        load(run, "ideas", [idea("1")], on=1)
        with run.reading() as tx:
            assert tx.scalar(sa.select(sa.func.count()).select_from(FENCES)) == 0


def test_a_later_run_ends_the_open_transaction_of_an_earlier_one(postgresql_url: str) -> None:
    with (
        Warehouse.open(postgresql_url, COMMUNITY) as frozen,
        Warehouse.open(postgresql_url, COMMUNITY) as living,
        frozen.fenced(ACCOUNT, 1) as first,
    ):
        with pytest.raises(WarehouseError, match="terminating connection"):
            _frozen_in_mid_load(first, living)
        assert live(living, "ideas") == [("1",)]


def _frozen_in_mid_load(first: Warehouse, living: Warehouse) -> None:
    with first.writing() as tx:  # it holds the lock of the community's writer
        tx.execute(sa.text("DELETE FROM ideas"))
        with living.fenced(ACCOUNT, 2) as second:
            load(second, "ideas", [idea("1")], on=1)
        tx.execute(sa.text("DELETE FROM ideas"))


def test_the_sessions_of_a_run_that_has_ended_are_left_alone(postgresql_url: str) -> None:
    with Warehouse.open(postgresql_url, COMMUNITY) as first, Warehouse.open(postgresql_url, COMMUNITY) as second:
        with first.fenced(ACCOUNT, 1):
            pass
        with first.reading() as tx, second.fenced(ACCOUNT, 2):
            assert tx.scalar(sa.text("SELECT 1")) == 1
