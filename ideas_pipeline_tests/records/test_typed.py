from __future__ import annotations

import hashlib
import itertools
import json
import sys

import orjson
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ideas_pipeline.records.typed import SourceFormat, typed
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline_tests.processes import run
from ideas_pipeline_tests.records.rows import loaded, typed_rows


def row_hash(table="ideas", timezone="UTC", volatile=(), **row):
    [only] = loaded(typed_rows(table, {"id": "1", **row}, timezone=timezone, volatile=volatile))
    return only["_row_hash"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("rows", [0, 1])
def test_a_frame_has_the_tables_own_columns_in_arrow_types_however_many_rows(table, rows):
    keys = {c.name: "k" for c in TABLES[table].primary_key.columns if c.name != "community"}
    frame = typed_rows(table, *[keys] * rows).frame
    own = [c.name for c in TABLES[table].columns if c.name != "community" and not c.name.startswith("_")]
    assert list(frame.columns) == [*own, "_extra", "_row_hash", "_scope"]
    assert len(frame) == rows
    arrow = {
        "id": pa.string(),
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    for name in own:
        assert frame[name].dtype == pd.ArrowDtype(arrow[TABLES[table].c[name].info["kind"]])


def test_a_value_that_fails_is_null_in_its_row_and_a_reject_of_its_own():
    result = typed_rows(
        "votes",
        {"id": 1, "value": 1},
        {"id": 2, "value": "n/a", "created_at": "soon", "user_id": 7, "idea_id": "9", "_extra": {"x": 1}},
        {"id": 3, "value": "-1"},
    )
    assert [(row["id"], row["value"]) for row in loaded(result)] == [("1", 1.0), ("2", None), ("3", -1.0)]
    value, created_at = result.rejects
    assert (value.position, value.key, value.id) == (1, '["2"]', "2")
    assert (value.column, value.value, value.reason) == ("value", "n/a", "is not a number")
    assert (created_at.column, created_at.value) == ("created_at", "soon")
    # What the value is kept with says whose it is, and nothing else.
    assert value.payload == created_at.payload == {"id": 2, "idea_id": "9", "user_id": 7}


@pytest.mark.parametrize(
    ("table", "column", "sent", "stored"),
    [
        ("ideas", "moderation_status", "Removed", "removed"),
        ("ideas", "moderation_status", " Closed comments ", "closed_comments"),
        ("ideas", "moderation_status", "CLOSED-COMMENTS", "closed_comments"),
        ("users", "status", "BANNED", "banned"),
        ("votes", "voting_type", "thumbsUp", "thumbs_up"),
        ("votes", "voting_type", "Claps", "Claps"),
        ("ideas", "status", "Removed", "Removed"),
    ],
)
def test_known_values_are_recognised_in_any_case_and_with_any_separators(table, column, sent, stored):
    assert [row[column] for row in loaded(typed_rows(table, {"id": 1, column: sent}, {"id": 2}))] == [stored, None]


def test_a_known_value_that_is_spelled_differently_is_no_change():
    assert row_hash(moderation_status="Closed comments") == row_hash(moderation_status="closed_comments")


def test_a_record_without_its_key_is_a_reject_with_a_fingerprint():
    result = typed_rows("idea_labels", {"idea_id": "1", "name": "Won"}, {"idea_id": "1", "name": "Lost"})
    assert [reject.reason for reject in result.rejects] == ["label_id is missing, and is part of the key"] * 2
    first, second = (reject.key for reject in result.rejects)
    assert first.startswith("sha256:")
    assert first != second
    assert result.rejects[0].id is None
    assert typed_rows("idea_labels", {"name": "Won", "idea_id": "1"}).rejects[0].key == first


def test_a_key_that_cannot_be_read_is_a_reject_without_an_id():
    [reject] = typed_rows("ideas", {"id": {"a": 1}}).rejects
    assert reject.id is None
    assert reject.key.startswith("sha256:")


OLD = {"id": 1, "title": "old", "updated_at": "2024-01-01"}
NEW = {"id": "1", "title": "new", "updated_at": "2024-01-02"}


@pytest.mark.parametrize("rows", [[OLD, {"id": 2}, NEW], [NEW, {"id": 2}, OLD]])
def test_of_records_with_one_key_the_newest_counts_and_the_others_are_rejects(rows):
    result = typed_rows("ideas", *rows)
    assert {(row["id"], row["title"]) for row in loaded(result)} == {("2", None), ("1", "new")}
    [reject] = result.rejects
    assert (reject.id, reject.column, reject.repeats) == ("1", None, True)
    assert reject.reason == "another record of this list has the same key, and is newer"
    assert reject.payload["title"] == "old"
    assert reject.key.startswith('["1"] sha256:')


def test_which_of_records_without_times_counts_does_not_depend_on_their_order():
    rows = [{"id": 1, "title": title} for title in "abc"]
    orders = [typed_rows("ideas", *order) for order in ([0, 1, 2], [2, 0, 1]) for order in [[rows[n] for n in order]]]
    first, second = orders
    assert loaded(first) == loaded(second)
    assert {reject.key for reject in first.rejects} == {reject.key for reject in second.rejects}
    assert len(first.rejects) == 2
    assert first.rejects[0].reason.endswith("no time says which of them is newer")


def test_records_that_are_equal_are_one():
    result = typed_rows("ideas", {"id": 1, "score": 1}, {"id": "1", "score": "1.0"})
    assert (len(result.frame), result.rejects) == (1, [])
    places = typed_rows(
        "idea_labels",
        {"idea_id": 1, "label_id": 1, "position": 0},
        {"idea_id": 1, "label_id": 1, "position": 1},
        places=["position"],
    )
    assert (len(places.frame), places.rejects) == (1, [])


def test_records_that_are_equal_are_as_new_as_the_newest_of_them():
    rows = [
        {"id": 1, "title": "a", "updated_at": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"id": 1, "title": "b", "updated_at": "2024-01-02"},
        {"id": 1, "title": "a", "updated_at": "2024-01-03"},
    ]
    for order in itertools.permutations(rows):
        result = typed_rows("ideas", *order, volatile=["updated_at"])
        assert [row["title"] for row in loaded(result)] == ["a"]
        assert [reject.payload["title"] for reject in result.rejects] == ["b"]


def test_only_records_with_one_key_are_compared(monkeypatch):
    hashed = []
    blake2b = hashlib.blake2b
    monkeypatch.setattr("hashlib.blake2b", lambda *args, **options: hashed.append(args) or blake2b(*args, **options))
    typed_rows("ideas", *({"id": n} for n in range(2, 50)), OLD, NEW)
    assert len(hashed) == 50 + 2


def test_of_records_with_one_key_in_two_scopes_the_last_counts():
    rows = [{"id": 1, "title": "a"}, {"id": 1, "title": "b"}]
    result = typed(TABLES["ideas"], rows, [{}, {}], ["7", "8"], SourceFormat())
    assert [(row["title"], row["_scope"]) for row in loaded(result)] == [("b", "8")]
    assert result.rejects == []


def test_a_payload_can_always_be_stored():
    deep = []
    for _ in range(5000):
        deep = [deep]
    row = {"id": None, "title": deep, "score": 10**5000, "body": "\x00", "url": float("nan"), "stage_id": 10**30}
    [reject] = typed_rows("ideas", row).rejects
    assert json.loads(json.dumps(reject.payload)) == {
        "id": None,
        "title": "(not stored: a list of 1 values)",
        "score": "(not stored: a large number)",
        "body": "\ufffd",
        "url": None,
        "stage_id": 10**30,
        "_extra": None,
    }


def test_unmapped_fields_that_cannot_be_stored_are_a_value_that_is_rejected():
    deep = {}
    for _ in range(5000):
        deep = {"a": deep}
    result = typed_rows("ideas", {"id": 1, "_extra": {"x": deep}})
    [reject] = result.rejects
    assert (reject.column, reject.reason) == ("_extra", "is nested too deeply")
    assert reject.value == "(not stored: a map of 1 values)"
    assert loaded(result)[0]["_extra"] is None


def test_what_means_the_same_has_the_same_fingerprint():
    one = {"score": 3, "vote_count": "2", "created_at": "2024-07-31T11:00:00+02:00", "is_anonymous": 0}
    same = {
        "score": "3.0",
        "vote_count": 2.0,
        "created_at": "2024-07-31 09:00:00.000",
        "is_anonymous": "no",
        "title": None,
    }
    assert row_hash(**one) == row_hash(**same)
    assert row_hash(created_at="2024-07-31 11:00:00", timezone="Europe/Madrid") == row_hash(created_at=1722416400)
    assert row_hash(score=0.0) == row_hash(score=-0.0)
    assert row_hash(_extra={"a": 1, "b": {"d": 1, "c": 2}}) == row_hash(_extra={"b": {"c": 2, "d": 1}, "a": 1})


def test_any_change_of_meaning_changes_the_fingerprint():
    rows = [{}, {"title": "a"}, {"body": "a"}, {"title": ""}, {"score": 0}, {"vote_count": 0}, {"is_anonymous": False}]
    rows += [
        {"_extra": {"a": 1}},
        {"_extra": {"a": 2}},
        {"created_at": 1722416400},
        {"updated_at": 1722416400},
        {"stage_id": "0"},
    ]
    assert len({row_hash(**row) for row in rows}) == len(rows)


def test_volatile_columns_and_fields_are_stored_but_not_compared():
    signed = {"volatile": ("url", "thumb"), "title": "t"}
    assert row_hash(**signed, url="a?sig=1", _extra={"thumb": 1}) == row_hash(**signed, url="a?sig=2", _extra={})
    assert row_hash(**signed, _extra={"other": 1}) != row_hash(**signed)
    [row] = loaded(typed_rows("ideas", {"id": 1, "url": "u", "_extra": {"thumb": 1}}, volatile=("url", "thumb")))
    assert (row["url"], row["_extra"]) == ("u", '{"thumb":1}')


def test_a_fingerprint_is_the_same_in_another_process():
    code = (
        "from ideas_pipeline_tests.records.rows import loaded, typed_rows;"
        "print(loaded(typed_rows('ideas', {'id': 1, 'title': 'é', '_extra': {'b': 1, 'a': [None]}}))[0]['_row_hash'])"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == row_hash(title="é", _extra={"a": [None], "b": 1})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["1", "2024-01-31T09:00:00Z", "2024-01-31 09:00:00", 1, 2]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
VOTE = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", 1, 2, "3"]) | JSON},
    optional={
        **dict.fromkeys(("user_id", "voting_type", "value", "created_at", "updated_at"), JSON),
        "_extra": st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    },
)
LABEL = st.fixed_dictionaries({"idea_id": JSON, "label_id": JSON}, optional={"position": JSON, "is_system": JSON})


def outcome(result):
    """What became of each record, by its key, with the values that were rejected."""
    by_key = {}
    for reject in result.rejects:
        by_key.setdefault(reject.key, []).append(
            (reject.column or "", reject.reason, json.dumps(reject.payload, sort_keys=True))
        )
    for row in loaded(result):
        of_row = by_key.setdefault(orjson.dumps([row["id"]]).decode(), [])
        of_row += [(name, str(given), "") for name, given in row.items()]
    return {key: sorted(what) for key, what in by_key.items()}


@example([{"id": "1"}, {"id": "1", "_extra": {"a": 1}}, {"id": 1}])
@given(st.lists(VOTE, max_size=6))
def test_any_json_in_any_column_is_a_row_or_a_reject_and_order_does_not_matter(rows):
    result = typed_rows("votes", *rows)
    assert outcome(result) == outcome(typed_rows("votes", *reversed(rows)))
    # Each key is a row; each other content under it is a reject, and each record without a key is one.
    alone = [typed_rows("votes", row) for row in rows]
    keys = {row["id"] for typed_alone in alone for row in loaded(typed_alone)}
    assert {row["id"] for row in loaded(result)} == keys
    contents = {
        (row["id"], row["_row_hash"], *(f"{r.column}: {json.dumps(r.value, sort_keys=True)}" for r in one.rejects))
        for one in alone
        for row in loaded(one)
    }
    keyless = {reject.key for typed_alone in alone for reject in typed_alone.rejects if reject.column is None}
    assert len([r for r in result.rejects if r.column is None]) == len(contents) - len(keys) + len(keyless)


@given(st.lists(LABEL, max_size=4))
def test_the_same_holds_if_a_key_has_two_parts(rows):
    result = typed_rows("idea_labels", *rows)
    keys = [json.dumps([r["idea_id"], r["label_id"]]) for r in loaded(result)]
    keys += [r.key for r in result.rejects if r.column is None]
    assert len(keys) == len(set(keys))


@given(st.lists(VOTE, max_size=4))
def test_what_is_typed_once_is_typed_the_same_again(rows):
    first = loaded(typed_rows("votes", *rows))
    as_json = [
        {name: given.isoformat() if isinstance(given, pd.Timestamp) else given for name, given in row.items()}
        | {"_extra": json.loads(row["_extra"] or "{}")}
        for row in first
    ]
    again = typed_rows("votes", *as_json)
    assert [row["_row_hash"] for row in loaded(again)] == [row["_row_hash"] for row in first]
    assert again.rejects == []
