"""After a sync the warehouse is the community: on every engine, and for every way in which lists can be paged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, paged, small_village, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.engines import each_on_sqlite
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

_SIZED = {"size_parameter": "per_page", "size": 25}
_TOTAL = {"total": {"body": ["total"]}}
PAGING: dict[str, dict[str, Any]] = {
    "page from 1": {"style": "page", **_SIZED, **_TOTAL},
    "page from 0": {"style": "page", "first": 0, **_SIZED, **_TOTAL},
    "page, total in a header": {"style": "page", **_SIZED, "total": {"header": "X-Total-Count"}},
    "page, no total": {"style": "page", **_SIZED},
    "offset": {"style": "offset", **_SIZED, **_TOTAL},
    "offset, no total": {"style": "offset", **_SIZED},
    "cursor": {"style": "cursor", "cursor": ["meta.next_cursor"], **_SIZED, **_TOTAL},
    "cursor, no total": {"style": "cursor", "cursor": ["meta.next_cursor"], **_SIZED},
    "next link in the body": {"style": "next_link", "next": ["links.next"], **_SIZED, **_TOTAL},
    "next link in the Link header": {"style": "next_link", **_SIZED},
    "none": {"style": "none"},
}


def in_the_path() -> Contract:
    """Page and size within the URL's path, counted from 0."""
    streams = {
        name: {
            "path": f"{spec.path}/{{page}}/{{size}}",
            "paging": {"!": {"style": "page", "first": 0, "size_parameter": "size", "size": 25, **_TOTAL}},
        }
        for name, spec in load_contract(None).streams.items()
    }
    return contract_with({"streams": streams})


def by_post(send_as: str) -> Contract:
    """Reads that are POST requests."""
    streams = {name: {"method": "POST", "send_as": send_as} for name in load_contract(None).streams}
    return contract_with({"streams": streams})


CONTRACTS = {
    **{name: paged(paging) for name, paging in PAGING.items()},
    "page and size in the path": in_the_path(),
    "POST with a form": by_post("form"),
    "POST with JSON": by_post("json"),
    "a bare array": paged({"style": "none"}, records=["@body"]),
    "an envelope in depth": paged(PAGING["page from 1"], records=["result.items"]),
}


@each_on_sqlite("contract", CONTRACTS)
def test_the_warehouse_equals_the_source_and_a_second_sync_changes_nothing(
    contract: Contract, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(contract, small_village(seed=3)) as simulator:
        first = sync(simulator, warehouse, tmp_path)
        assert [s.reason for s in first.streams] == [None] * 5
        assert first.verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)

        written = last_written(warehouse.engine)
        second = sync(simulator, warehouse, tmp_path)
        assert (second.verdict, second.changed) == ("complete", False), [s.counts.embedded for s in second.streams]
        assert last_written(warehouse.engine) == written
    assert_counts_reconcile(warehouse.engine)


QUIRKS = {
    "numbers and booleans as text": Quirks(numbers_as_text=True, booleans="text", total="text"),
    "booleans as numbers, ids as numbers": Quirks(booleans="number", ids_as_numbers=True),
    "maps keyed by id": Quirks(keyed_lists=True, empty_as_list=True),
    "naive local timestamps, zeros for none": Quirks(timestamps="naive", no_timestamp="0000-00-00 00:00:00"),
    "epoch seconds, 0 for none": Quirks(timestamps="epoch", no_timestamp=0),
    "unmapped fields and signed addresses": Quirks(extra_fields=True, signed_urls=True),
}


@each_on_sqlite("quirks", QUIRKS)
def test_the_habits_of_real_apis_do_not_change_what_is_stored(
    quirks: Quirks, warehouse: Warehouse, tmp_path: Path
) -> None:
    contract = contract_with({"timezone": "Europe/Madrid"}) if quirks.timestamps == "naive" else contract_with({})
    # Unlike seed 4, seed 3 has no time in the hour that comes twice when the clocks go back: without its zone, such a
    # time is ambiguous.
    with Simulator(contract, small_village(seed=3), quirks=quirks) as simulator:
        first = sync(simulator, warehouse, tmp_path)
        assert [s.reason for s in first.streams] == [None] * 5
        if not quirks.signed_urls:
            assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)
        second = sync(simulator, warehouse, tmp_path)
        assert (second.verdict, second.changed) == ("complete", False), [s.counts.embedded for s in second.streams]


def test_a_server_that_caps_the_page_size_is_read_whole(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with({})
    for paging in ("page from 1", "offset", "offset, no total"):
        contract = paged(PAGING[paging])
        with Simulator(contract, small_village(seed=3), page_cap=7) as simulator:
            assert sync(simulator, warehouse, tmp_path).verdict == "complete"
            assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def test_a_full_read_costs_the_fewest_requests_that_can_prove_it(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = paged(PAGING["page from 1"])
    with Simulator(contract, small_village(seed=3)) as simulator:
        result = sync(simulator, warehouse, tmp_path)
        assert sum(s.counts.requests for s in result.streams) == fewest_requests(contract, simulator.tables)
        again = sync(simulator, warehouse, tmp_path)
        assert sum(s.counts.requests for s in again.streams) == fewest_requests(contract, simulator.tables, known=True)


def test_people_can_be_read_one_at_a_time_from_ids_seen_elsewhere(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with(
        {
            "streams": {
                "users": {
                    "path": "users/{user_id}",
                    "reads": "one",
                    "each": {
                        "of": ["ideas.author_id", "comments.author_id", "votes.user_id"],
                        "placeholder": "user_id",
                    },
                    "paging": {"!": {"style": "none"}},
                }
            }
        }
    )
    with Simulator(contract, small_village(seed=3)) as simulator:
        result = sync(simulator, warehouse, tmp_path)
        assert result.verdict == "complete"
        seen = {
            row[column]
            for table, column in (("ideas", "author_id"), ("comments", "author_id"), ("votes", "user_id"))
            for row in simulator.tables[table].values()
            if row.get(column)
        }
        tables = dict(simulator.tables)
        tables["users"] = {i: row for i, row in tables["users"].items() if i in seen}
        tables["user_answers"] = {i: row for i, row in tables["user_answers"].items() if row["user_id"] in seen}
        assert_true_to(warehouse.engine, COMMUNITY, contract, tables)


def fewest_requests(contract: Contract, tables: dict[str, Any], *, known: bool = False) -> int:
    """One request a page, and one beyond a last page that is full, as a total is not taken at its word.

    A list of several pages is read twice, unless it holds just what is known. An only list that ends with a short first
    page is asked for one more, unless it is known, as its total may count that page.
    """
    total = 0
    for name, spec in contract.streams.items():
        lists: dict[str, int] = {}
        if spec.each:
            parent = spec.each.of[0].split(".")[0]
            lists = dict.fromkeys(tables[parent], 0)
            for row in tables[name].values():
                lists[row[spec.each.placeholder]] += 1
        else:
            lists[""] = len(tables[name])
        for count in lists.values():
            size = getattr(spec.paging, "size", count + 1)
            pages = max(1, -(-count // size))
            may_count_a_page = not spec.each and not known and 0 < count < size
            requests = pages + (count > 0 and count % size == 0) + may_count_a_page
            total += requests if pages == 1 or known else 2 * requests
    return total


def last_written(engine: sa.Engine) -> dict[str, Any]:
    """When each table was last written, and how many rows it has."""
    with engine.connect() as connection:
        return {
            name: tuple(connection.execute(sa.select(sa.func.max(t.c._changed_at), sa.func.count())).one())
            for name, t in TABLES.items()
            if "_changed_at" in t.c
        }


def assert_counts_reconcile(engine: sa.Engine) -> None:
    for table in (SYNC_SCOPES, SYNC_STREAMS):
        c = table.c
        astray = sa.select(sa.func.count()).where(c.seen != c.inserted + c.updated + c.unchanged + c.rejected)
        with engine.connect() as connection:
            assert connection.execute(astray).scalar_one() == 0
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() > 0
