"""Metadata of a run about lists that it could not prove, and about records that it could not read."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.defs.running import metadata, nightly_sync


def queried(shown: object, folder: Path) -> list[tuple[object, ...]]:
    """What the query that is shown finds."""
    query = str(shown).split("```sql\n")[1].split("\n```")[0]
    with sa.create_engine(f"sqlite:///{folder}/.ideas/warehouse.db").connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_lists_that_are_incomplete_are_shown_with_the_query_for_all_of_them(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    first = next(iter(simulator.tables["ideas"]))
    simulator.faults.add(Fault(kind="wrong_total", stream="votes", scope=first, times=None))

    shown = metadata(nightly_sync(instance))["votes"]["incomplete scopes"]

    assert str(shown).startswith("1 scope. All of them:")
    assert f"| {first} | the API's total is " in str(shown)
    assert [row[0] for row in queried(shown, unconfigured)] == [first]


def test_rejects_are_counted_by_column_and_reason_and_never_quoted(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    simulator.faults.add(Fault(kind="poison_value", stream="users", times=None))

    recorded = metadata(nightly_sync(instance))

    shown = str(recorded["users"]["rejects"])
    waiting = queried(shown, unconfigured)
    assert shown.startswith(f"{len(waiting)} rejects (also in `ideas-pipeline rejects list`)")
    assert len(waiting) == recorded["users"]["rejected_values"] > 0
    for table, _, column, reason in waiting:
        assert f"| {table}.{column} {reason} | ".replace("_", r"\_") in shown, "escaped for Markdown"
    assert "incomplete scopes" not in recorded["challenges"]
    assert "rejects" not in recorded["challenges"]
