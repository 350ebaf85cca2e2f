from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.yaml_file import parse
from ideas_pipeline.ideas_api.field_map import field_map
from ideas_pipeline.privacy.key import Key
from ideas_pipeline.sync.batching import About, Rows, batch
from ideas_pipeline.sync.drift import Drift, suggested_lines
from ideas_pipeline.tables.bookkeeping import FIELDS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.fields import Field, fields
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, load_batch, night
from ideas_pipeline_tests.warehouse.calls import call_reading

CONTRACT = load_contract(None)

IDEA: dict[str, Any] = {
    "stage_id": "s1",
    "author": {"id": "u1"},
    "title": "Trees \N{DECIDUOUS TREE}",
    "is_anonymous": False,
    "score": 4.25,
    "vote_count": 7,
    "created_at": "2026-01-01T10:00:00.123456+02:00",
    "updated_at": 1767261600,
    "labels": [{"id": 1, "name": "Won", "color": "green", "is_system": True}],
}


def ideas(count: int = 40, **more: Any) -> list[dict[str, Any]]:
    return [{"id": str(number), **IDEA, **more} for number in range(count)]


def without(records: Sequence[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name not in names} for record in records]


def run(
    warehouse: Warehouse,
    on: int,
    *batches: Sequence[dict[str, Any]],
    contract: Contract = CONTRACT,
    stream: str = "ideas",
    window: tuple[datetime, datetime] | None = None,
) -> list[Counts]:
    """One run that reads the list c1 of the stream, batch by batch, on night ``on``."""
    drift = Drift(warehouse, contract, stream)
    record_of = field_map(contract, stream)
    counts = []
    for records in batches:
        rows = Rows()
        rows.add([record_of(record, None, index, "c1") for index, record in enumerate(records)], "c1")
        drift.observe(rows.records)
        about = About(contract, stream, f"night-{on}", night(on), window=window, vanished=drift.vanished())
        made = batch(replace(about, left_out=drift.leaves_out()), rows)
        counts.append(load_batch(warehouse, made).counts.get("c1", Counts()))
    drift.note(f"night-{on}", night(on))
    return counts


def known(warehouse: Warehouse, table: str = "ideas") -> dict[str, Field]:
    return {field.field: field for field in call_reading(warehouse, fields, [table])}


def column(warehouse: Warehouse, name: str, table: str = "ideas") -> set[Any]:
    return {row[name] for row in held(warehouse, table)}


def test_a_first_run_remembers_every_field_with_its_kind_and_in_how_many_records_it_was(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas(30, karma=5) + ideas(40, title=None)[30:])
    found = known(warehouse)
    assert {"id", "author_id", "title", "score", "_extra.karma"} <= set(found)
    assert not {"body", "challenge_id"} & set(found)
    assert (found["title"].kinds, found["title"].records, found["title"].of_records) == ({"text"}, 40, 40)
    assert (found["_extra.karma"].is_mapped, found["_extra.karma"].records) == (False, 30)
    assert found["is_anonymous"].kinds == {"true/false"}
    assert known(warehouse, "idea_labels")["color"].records == 40


def test_a_night_with_the_same_fields_writes_nothing(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    before = held(warehouse, FIELDS)
    run(warehouse, 2, ideas())
    run(warehouse, 3, ideas(2))
    run(warehouse, 4)
    assert held(warehouse, FIELDS) == before


def test_a_new_field_and_a_new_kind_are_noted_when_they_come(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, ideas(3, karma=5, score="4.25"))
    found = known(warehouse)
    assert (found["_extra.karma"].first_seen_at, found["_extra.karma"].kinds) == (night(2), {"number"})
    assert (found["score"].kinds, found["score"].last_seen_at, found["score"].of_records) == (
        {"number", "text"},
        night(2),
        40,
    )
    assert found["title"].last_seen_at == night(1)


def test_a_field_that_vanished_is_noted_and_every_row_keeps_what_it_had(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    [counts] = run(warehouse, 2, without(ideas(41), "title"))
    assert known(warehouse)["title"].missing_since == night(2)
    assert (counts.unchanged, counts.inserted, counts.updated) == (40, 1, 0)
    assert [row["title"] for row in held(warehouse, "ideas") if row["id"] == "40"] == [None]
    assert column(warehouse, "title") == {IDEA["title"], None}


def test_whatever_kind_of_value_is_kept_it_is_the_same_value(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    before = held(warehouse, "ideas"), held(warehouse, "idea_labels")
    [counts] = run(warehouse, 2, [{"id": record["id"], "labels": [{"id": "1"}]} for record in ideas()])
    assert counts.unchanged == 40
    assert (held(warehouse, "ideas"), held(warehouse, "idea_labels")) == before


def test_a_field_that_is_stated_as_null_is_empty_and_has_not_vanished(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, ideas(title=None, author=[]))
    assert column(warehouse, "title") == column(warehouse, "author_id") == {None}
    assert known(warehouse)["title"].missing_since is None


def test_a_field_that_is_left_out_instead_of_null_means_none(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas(20) + without(ideas(40), "score")[20:])
    run(warehouse, 2, ideas(1) + without(ideas(40), "score")[1:])
    assert [row["id"] for row in held(warehouse, "ideas") if row["score"] is not None] == ["0"]
    assert known(warehouse)["score"].missing_since is None


def test_a_field_that_only_some_records_have_is_not_missed_in_a_short_run(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas(20) + without(ideas(40), "score")[20:])
    run(warehouse, 2, without(ideas(15), "score"))
    assert known(warehouse)["score"].missing_since is None
    run(warehouse, 3, without(ideas(40), "score"))
    assert known(warehouse)["score"].missing_since == night(3)


def test_a_field_that_was_seen_earlier_in_the_run_has_not_vanished(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, ideas(20), without(ideas(40), "title")[20:])
    assert known(warehouse)["title"].missing_since is None
    assert column(warehouse, "title") == {IDEA["title"], None}


def test_a_field_that_comes_back_is_there_again(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, without(ideas(), "title"))
    run(warehouse, 3, ideas(title="New"))
    found = known(warehouse)["title"]
    assert (found.missing_since, found.last_seen_at, found.first_seen_at) == (None, night(3), night(1))
    assert column(warehouse, "title") == {"New"}


def test_a_row_that_changes_while_a_field_is_missing_keeps_it_and_is_written_once(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    [counts] = run(warehouse, 2, without(ideas(vote_count=8), "title"))
    assert (counts.updated, column(warehouse, "title")) == (40, {IDEA["title"]})
    [counts] = run(warehouse, 3, without(ideas(vote_count=8), "title"))
    assert (counts.unchanged, column(warehouse, "vote_count")) == (40, {8})


def test_a_field_that_comes_back_as_null_empties_rows_that_changed_meanwhile(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, without(ideas(vote_count=8), "title"))
    run(warehouse, 3, ideas(vote_count=8, title=None))
    assert column(warehouse, "title") == {None}


def test_a_row_that_comes_back_while_a_field_is_missing_has_what_it_had(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(TABLES["ideas"]).values(_deleted_at=night(1)))
    [counts] = run(warehouse, 2, without(ideas(), "title"))
    assert counts.updated == 40
    assert column(warehouse, "title") == {IDEA["title"]}


def test_a_backfill_loads_every_record_if_the_field_that_dates_them_has_vanished(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    window = (night(5), night(6))
    run(warehouse, 2, without(ideas(vote_count=8), "created_at"), window=window)
    assert column(warehouse, "vote_count") == {8}
    run(warehouse, 3, ideas(vote_count=9), window=window)
    assert column(warehouse, "vote_count") == {8}


def test_a_vanished_field_stays_vanished_and_kept_however_little_a_night_reads(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, without(ideas(), "title"))
    [counts] = run(warehouse, 3, without(ideas(1), "title"))
    assert counts.unchanged == 1
    assert known(warehouse)["title"].missing_since == night(2)


def test_a_field_inside_an_embedded_list_is_kept_as_well(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas())
    run(warehouse, 2, ideas(labels=[{"id": 1, "name": "Lost", "is_system": True}]))
    assert column(warehouse, "name", "idea_labels") == {"Lost"}
    assert column(warehouse, "color", "idea_labels") == {"green"}
    assert known(warehouse, "idea_labels")["color"].missing_since == night(2)


@pytest.mark.parametrize("sent", [True, False])
def test_a_column_that_is_taken_out_of_the_contract_is_emptied_and_not_missed(warehouse: Warehouse, sent: bool) -> None:
    document = CONTRACT.model_dump(by_alias=True)
    del document["streams"]["ideas"]["fields"]["title"]
    run(warehouse, 1, ideas())
    run(warehouse, 2, ideas() if sent else without(ideas(), "title"), contract=Contract.model_validate(document))
    assert column(warehouse, "title") == {None}
    assert known(warehouse)["title"].missing_since is None


def test_a_field_that_is_sent_under_another_name_the_contract_knows_has_not_vanished(warehouse: Warehouse) -> None:
    contract = contract_with({"streams": {"ideas": {"fields": {"title": {"paths": ["title", "subject"]}}}}})
    run(warehouse, 1, ideas(), contract=contract)
    run(warehouse, 2, without(ideas(subject="Bees"), "title"), contract=contract)
    assert known(warehouse)["title"].missing_since is None
    assert column(warehouse, "title") == {"Bees"}


def test_what_was_blanked_of_an_erased_person_hides_no_field_that_vanished(warehouse: Warehouse) -> None:
    surrogate = Key("k" * 40, None).surrogate(COMMUNITY, "7")
    people = [{"id": str(number), "display_name": "Ann", "points": 5} for number in range(40)]
    run(warehouse, 1, people, stream="users")
    erased = {"id": surrogate, "display_name": None, "points": None, "status": "erased"}
    run(warehouse, 2, [*without(people, "points"), erased], stream="users")
    assert known(warehouse, "users")["points"].missing_since == night(2)
    assert [row["points"] for row in held(warehouse, "users") if row["id"] != surrogate] == [5] * 40


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
    assert parse(line, Path("line.yaml")).data


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


def test_names_without_end_fill_no_table_and_leave_the_known_ones_counted(warehouse: Warehouse) -> None:
    run(warehouse, 1, ideas(40, more="x"))
    for on in (2, 3):
        names = {f"name-{on}-{number}": number for number in range(3000)}
        run(warehouse, on, [*ideas(20, more="x"), *ideas(1, **names), *ideas(20, more="x")])
    with warehouse.reading() as tx:
        noted = {field.field: field for field in fields(tx, ["ideas"])}
    assert len(noted) <= 1000
    assert noted["_extra.more"].missing_since is None
    assert noted["title"].missing_since is None


def with_labels(count: int, **names: str) -> list[dict[str, Any]]:
    """Ideas, of which ``_3="ab"`` gives idea 3 the labels a and b. Other ideas lack the list."""
    return [
        idea | ({"labels": [{"id": name} for name in names[of]]} if (of := f"_{idea['id']}") in names else {})
        for idea in without(ideas(count), "labels")
    ]


def labelled(warehouse: Warehouse) -> set[tuple[str, str]]:
    return {(row["idea_id"], row["label_id"]) for row in held(warehouse, "idea_labels") if row["_deleted_at"] is None}


def test_a_list_that_is_left_out_is_empty_if_no_record_has_an_empty_one(warehouse: Warehouse) -> None:
    run(warehouse, 1, with_labels(4, _1="ab", _2="c"))
    run(warehouse, 2, with_labels(4, _1="a"))
    assert labelled(warehouse) == {("1", "a")}


@pytest.mark.parametrize("others", [{}, {"_1": "ab", "_3": ""}], ids=["none has one", "one has an empty one"])
def test_a_list_that_is_left_out_otherwise_tells_nothing(warehouse: Warehouse, others: dict[str, str]) -> None:
    run(warehouse, 1, with_labels(4, _1="ab", _2="c"))
    run(warehouse, 2, with_labels(4, **others))
    assert labelled(warehouse) == {("1", "a"), ("1", "b"), ("2", "c")}
