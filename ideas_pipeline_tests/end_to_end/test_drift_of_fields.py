"""The API changes what it sends: nothing is lost, nothing is blanked, and it is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.run import Full
from ideas_pipeline.tables.bookkeeping import FIELDS, REJECTED_RECORDS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.fields import Field, fields
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held
from ideas_pipeline_tests.warehouse.calls import call_reading

CONTRACT = contract_with({})


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, small_village(seed=3)) as running:
        yield running


def sends(simulator: Simulator, contract: Contract = CONTRACT, **quirks: Any) -> Simulator:
    """Another release of the same API: the same community, sent in another way."""
    return Simulator(contract, simulator.tables, quirks=Quirks(**quirks))


def silent_of(table: str, *columns: str) -> Contract:
    """The contract of an API that calls these columns by names that nobody knows, and never sends their own."""
    document = CONTRACT.model_dump(by_alias=True)
    for column in columns:
        document["streams"][table]["fields"][column] = {"paths": [f"zz_{column}"]}
    return Contract.model_validate(document)


def known(warehouse: Warehouse, table: str) -> dict[str, Field]:
    return {field.field: field for field in call_reading(warehouse, fields, [table])}


def test_a_night_on_which_nothing_changes_writes_no_field(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    before = held(warehouse, FIELDS)
    assert {row["table_name"] for row in before} >= {"challenges", "ideas", "votes", "idea_labels"}
    sync(simulator, warehouse, tmp_path, mode=Full())
    sync(simulator, warehouse, tmp_path)
    assert held(warehouse, FIELDS) == before


def test_new_fields_are_kept_and_known(simulator: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    sync(simulator, warehouse, tmp_path)
    with sends(simulator, extra_fields=True) as newer:
        sync(newer, warehouse, tmp_path / "newer", mode=Full())
    found = known(warehouse, "ideas")
    assert found["_extra.karma"].kinds == {"number"}
    assert found["_extra.client_flags"].first_seen_at > found["title"].first_seen_at
    with warehouse.engine.connect() as connection:
        kept = connection.scalars(sa.select(TABLES["ideas"].c._extra)).all()
    assert all("karma" in extra for extra in kept)
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_fields_that_vanish_blank_nothing_and_are_missed(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    gone = ("title", "body", "score", "vote_count", "is_anonymous", "created_at")
    with sends(simulator, silent_of("ideas", *gone)) as newer:
        result = sync(newer, warehouse, tmp_path / "newer", mode=Full(), contract=CONTRACT)
    assert stream(result, "ideas").counts.rejected == 0
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
    assert {name for name, field in known(warehouse, "ideas").items() if field.missing_since} == set(gone)

    result = sync(simulator, warehouse, tmp_path, mode=Full())
    assert not [name for name, field in known(warehouse, "ideas").items() if field.missing_since and field.is_mapped]
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_field_that_is_null_everywhere_is_emptied_and_not_missed(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        for row in tables["ideas"].values():
            row["title"] = None
    sync(simulator, warehouse, tmp_path, mode=Full())
    assert known(warehouse, "ideas")["title"].missing_since is None
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_field_that_changes_its_type_is_null_and_kept_as_rejects(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    truth: Tables = {name: {key: dict(row) for key, row in rows.items()} for name, rows in simulator.tables.items()}
    with simulator.changing() as tables:
        for row in tables["comments"].values():
            row["like_count"] = "several"
    result = sync(simulator, warehouse, tmp_path, mode=Full())
    counts = stream(result, "comments").counts
    assert (counts.rejected, counts.rejected_values, counts.absent) == (0, len(truth["comments"]), 0)
    assert known(warehouse, "comments")["like_count"].kinds == {"number", "text"}
    assert {row["like_count"] for row in held(warehouse, "comments")} == {None}
    assert {row["value"] for row in held(warehouse, REJECTED_RECORDS)} == {"several"}

    with simulator.changing() as tables:
        for key, row in tables["comments"].items():
            row["like_count"] = truth["comments"][key]["like_count"]
    sync(simulator, warehouse, tmp_path, mode=Full())
    assert held(warehouse, REJECTED_RECORDS) == []
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_what_came_before_a_stream_failed_is_known(simulator: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    sync(simulator, warehouse, tmp_path)
    pages = iter(range(10_000))
    with sends(simulator, extra_fields=True) as newer:

        def shut_out(name: str, _scope: str, _tables: Tables) -> None:
            if name == "comments" and next(pages) == 10:
                newer.auth.revoked = True
                newer.auth.expire_tokens()

        newer.before_page = shut_out
        result = sync(newer, warehouse, tmp_path)
    assert stream(result, "comments").verdict == "failed"
    assert "_extra.karma" in known(warehouse, "comments")
    assert "_extra.karma" not in known(warehouse, "votes")
