from __future__ import annotations

import pytest
import yaml

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.sync.suggestions import suggested_lines
from ideas_pipeline.warehouse.drift import Field
from ideas_pipeline_tests.warehouse.batches import night

CONTRACT = load_contract(None)


def field(name: str, kind: str = "number", table: str = "ideas", gone: bool = False) -> Field:
    return Field(
        table=table,
        field=name,
        is_mapped=not name.startswith("_extra."),
        kinds=frozenset({kind}),
        records=9,
        of_records=9,
        first_seen_at=night(1),
        last_seen_at=night(1),
        missing_since=night(2) if gone else None,
    )


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ([field("_extra.views_total")], "streams: {ideas: {fields: {view_count: views_total}}}"),
        (
            [field("title", gone=True), field("_extra.headline", "text")],
            "streams: {ideas: {fields: {title: headline}}}",
        ),
        ([field("_extra.posted_at", "text")], "streams: {ideas: {fields: {created_at: {paths: posted_at}}}}"),
        (
            [field("_extra.colour", "text", "idea_labels"), field("_extra.hue", "text", "idea_labels")],
            "streams: {ideas: {embedded: {idea_labels: {fields: {color: colour}}}}}",
        ),
    ],
)
def test_a_line_maps_a_new_field_to_the_empty_column_that_it_resembles(known, line):
    assert list(suggested_lines(CONTRACT, known).values()) == [line]
    assert yaml.safe_load(line)


@pytest.mark.parametrize(
    "known",
    [
        [field("view_count"), field("_extra.views_total")],
        [field("_extra.views_total", gone=True)],
        [field("_extra.views_total", "map")],
        [field("_extra.karma")],
        [field("_extra.challenge_identifier", "text")],
    ],
)
def test_no_line_is_made_up_for_a_column_that_has_a_value_or_a_field_that_cannot_be_its_own(known):
    assert suggested_lines(CONTRACT, known) == {}


def test_no_field_fills_two_columns():
    lines = suggested_lines(CONTRACT, [field("_extra.votes_number"), field("_extra.number_of_comments")])
    assert sorted(lines) == [("ideas", "comment_count"), ("ideas", "vote_count")]
