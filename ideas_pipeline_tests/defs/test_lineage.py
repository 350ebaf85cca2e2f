"""From the API's answers to the tables, column by column."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import (
    AssetGraph,
)  # what Definitions gives, which has no public name

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.simulator.simulator import Simulator


@pytest.fixture
def graph(simulator: Simulator) -> AssetGraph:
    return build_defs().resolve_asset_graph()


def made_of(graph: AssetGraph, table: str, column: str) -> set[str]:
    lineage = graph.get(dg.AssetKey(["acme", table])).metadata["dagster/column_lineage"].deps_by_column
    return {f"{'/'.join(dep.asset_key.path[1:])} {dep.column_name}" for dep in lineage[column]}


def test_each_column_names_the_paths_that_the_contract_reads(graph: AssetGraph) -> None:
    assert made_of(graph, "ideas", "author_id") == {"api/ideas author.id", "api/ideas author_id"}
    assert made_of(graph, "users", "joined_at") == {"api/users joined_at", "api/users created_at"}


def test_the_parent_comes_from_the_table_that_says_what_lists_there_are_or_from_the_record_that_names_it(
    graph: AssetGraph,
) -> None:
    named = {"api/ideas challenge.id", "api/ideas challenge_id"}
    assert made_of(graph, "ideas", "challenge_id") == {"challenges id"} | named
    named = {"api/comments idea.id", "api/comments idea_id"}
    assert made_of(graph, "comments", "idea_id") == {"ideas id"} | named


def test_an_id_that_is_made_comes_from_what_it_is_made_of(graph: AssetGraph) -> None:
    people = made_of(graph, "votes", "user_id")
    stages = made_of(graph, "votes", "stage_id")
    idea = made_of(graph, "votes", "idea_id")
    assert made_of(graph, "votes", "id") == {"api/votes id"} | idea | people | stages


def test_a_table_that_comes_inside_records_is_named_with_its_columns(graph: AssetGraph) -> None:
    assert made_of(graph, "ideas", "idea_tags.tag") == {"api/ideas tags[].name", "api/ideas tags[].@value"}
    assert made_of(graph, "ideas", "idea_tags.idea_id") == made_of(graph, "ideas", "id")
    embedded = graph.get(dg.AssetKey(["acme", "ideas"])).metadata["columns of idea_tags"].columns
    assert {c.name: c.description for c in embedded}["tag"].endswith("From api/ideas: tags[].name, tags[].@value.")


def test_every_column_of_the_source_that_a_table_names_is_there_and_says_what_it_fills(graph: AssetGraph) -> None:
    tables = [key for key in graph.get_all_asset_keys() if graph.get(key).group_name in ("community", "history")]
    assert len(tables) == 6
    for key in tables:
        for deps in lineage_of(graph, key).values():
            for dep in deps:
                assert dep.column_name in columns_of(graph, dep.asset_key), (key, dep)
    assert columns_of(graph, dg.AssetKey(["acme", "api", "ideas"]))["author.id"] == "Fills author_id."


def test_a_source_is_the_api_s_list_as_the_contract_has_it(graph: AssetGraph, simulator: Simulator) -> None:
    votes = graph.get(dg.AssetKey(["acme", "api", "votes"]))
    assert (votes.group_name, votes.is_executable, votes.kinds) == ("source", False, {"api"})
    assert votes.metadata["endpoint"] == f"GET {simulator.base_url}ideas/{{idea_id}}/votes"
    assert "One list per `ideas.id`" in str(votes.description)


def lineage_of(graph: AssetGraph, key: dg.AssetKey) -> dict[str, list[dg.TableColumnDep]]:
    lineage = graph.get(key).metadata.get("dagster/column_lineage")
    return dict(lineage.deps_by_column) if lineage else {}


def columns_of(graph: AssetGraph, key: dg.AssetKey) -> dict[str, str | None]:
    """With the columns of the tables that come inside its records, as ``table.column``."""
    shown = graph.get(key).metadata
    found = {column.name: column.description for column in shown["dagster/column_schema"].columns}
    for name, schema in shown.items():
        if name.startswith("columns of "):
            found |= {f"{name.removeprefix('columns of ')}.{c.name}": c.description for c in schema.columns}
    return found
