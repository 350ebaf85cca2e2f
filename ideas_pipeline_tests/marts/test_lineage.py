from __future__ import annotations

import pytest

from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.marts.lineage import column_lineage
from ideas_pipeline.tables.all_tables import ANALYST_TABLES

COLUMNS = {
    (table.name, column.name)
    for table in (*ANALYST_TABLES.values(), *(mart.table for mart in MARTS.values()))
    for column in table.columns
}


@pytest.mark.parametrize("mart", MARTS)
def test_the_sources_of_every_column_exist(mart):
    found = column_lineage(mart)
    assert list(found) == [c.name for c in MARTS[mart].table.columns if c.name != "community"]
    for columns in found.values():
        assert columns
        assert set(columns) <= COLUMNS


def test_a_mart_is_analysed_once_per_process_because_no_community_changes_its_lineage():
    assert [mart for mart in MARTS if column_lineage(mart) is not column_lineage(mart)] == []


def test_only_tables_that_a_mart_reads_are_sources():
    made = column_lineage("mart_challenge_votes")
    assert {table for columns in made.values() for table, _ in columns} == {"ideas", "users", "votes"}


def test_a_copied_column_has_one_source():
    assert column_lineage("mart_challenges")["title"] == [("challenges", "title")]
    assert column_lineage("mart_challenge_votes")["value_sum"] == [("votes", "value")]
    assert column_lineage("mart_engagement")["engagement_level"] == [("mart_contributors", "engagement_level")]


def test_a_column_from_several_tables_has_all_as_sources():
    assert column_lineage("mart_contributors")["user_id"] == [
        ("comments", "author_id"),
        ("idea_coauthors", "user_id"),
        ("ideas", "author_id"),
        ("users", "id"),
        ("votes", "user_id"),
    ]
