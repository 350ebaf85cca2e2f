from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.composite_ids import PEOPLE, SELF_REFERENCES, is_anonymous
from ideas_pipeline.ideas_api.field_map import MISSING, Record, field_map, present, records_in
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

CONTRACT = load_contract(None)


def mapped(stream: str, record: Any, key: str | None = None, scope: str = "7") -> Record:
    return field_map(CONTRACT, stream)(record, key, 0, scope)


def overridden(tmp_path: Path, text: str) -> Any:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return load_contract(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("body", "records"),
    [
        ({"data": [{"id": 1}, {"id": 2}]}, [(None, {"id": 1}), (None, {"id": 2})]),
        ({"ideas": [{"id": 1}]}, [(None, {"id": 1})]),
        ({"data": None, "ideas": [{"id": 1}]}, [(None, {"id": 1})]),
        ({"data": {"12": {"id": 12}, "15": {"id": 15}}}, [("12", {"id": 12}), ("15", {"id": 15})]),
        ({"data": {"id": 1, "title": "t"}}, [(None, {"id": 1, "title": "t"})]),
        ({"data": {"items": [{"id": 1}], "page": 1}}, [(None, {"id": 1})]),
        ({"data": {"edges": [{"node": {"id": 1}}], "pageInfo": {}}}, [(None, {"id": 1})]),
        ({"data": {"id": 1, "items": [{"id": 2}]}}, [(None, {"id": 1, "items": [{"id": 2}]})]),
        ({"data": {"items": [], "total": 0}}, []),
        ({"data": [3, "x"]}, [(None, 3), (None, "x")]),
        ({"data": []}, []),
        ({"data": {}}, []),
        ({"data": None}, []),
    ],
)
def test_records_come_as_a_list_a_map_keyed_by_id_or_a_single_object(body, records):
    assert records_in(body, ("data", "ideas")) == records


def test_a_bare_array_is_at_body():
    assert records_in([{"id": 1}], ("@body",)) == [(None, {"id": 1})]


LABELS = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]


@pytest.mark.parametrize(
    ("around", "goes_on"),
    [
        ({"pageInfo": {"hasNextPage": True, "endCursor": "x"}}, True),
        ({"pageInfo": {"hasNextPage": False, "endCursor": "x"}}, False),
        ({"has_more": True}, True),
        ({"next": "https://ideas.example/v2/ideas/1/labels?page=2"}, True),
        ({"next": None, "prev": "https://ideas.example/v2/ideas/1/labels"}, False),
        ({"links": {"next": {"href": "/labels?page=2"}, "self": "/labels"}}, True),
        ({"next_cursor": "0"}, False),
        ({"totalCount": 3}, True),
        ({"meta": {"total": 3, "page": 1}}, True),
        ({"total": 2, "size": 100, "limit": 50}, False),
        ({"last": False}, True),
        ({"last": True, "first": False}, False),
        ({"truncated": True}, True),
    ],
)
def test_an_embedded_list_says_if_it_goes_on_elsewhere(around: dict[str, Any], goes_on: bool) -> None:
    record = mapped("ideas", {"id": 1, "labels": {"items": LABELS, **around}})
    assert [row.columns["label_id"] for row in record.embedded["idea_labels"]] == [1, 2]
    assert ("idea_labels" in record.cut) is goes_on


@pytest.mark.parametrize(
    "body", [{"result": [], "mail@example.com": 1}, [], "text", None, 7, {"data": "secret"}, {"data": True}]
)
def test_a_body_without_records_is_described_by_paths_and_shapes_never_by_values(body):
    with pytest.raises(UnexpectedResponse) as raised:
        records_in(body, ("data", "meta.items"))
    assert "data or meta.items" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "@example" not in str(raised.value)


def test_the_first_value_that_is_not_null_is_found():
    assert present({"a": None, "b": {"c": 0}}, ("a", "x.y", "b.c")) == 0
    assert present({"a": None}, ("a", "b")) is None
    assert present({"a": [1]}, ("a.b", "c")) is MISSING


def test_the_first_present_path_wins_but_a_value_that_means_none_does_not():
    assert mapped("ideas", {"body": "b", "content": "c"}).columns["body"] == "b"
    assert mapped("ideas", {"body": "", "description": [], "content": "c"}).columns["body"] == "c"
    assert mapped("ideas", {"body": ""}).columns["body"] is None


@pytest.mark.parametrize("none", [0, 0.0, "0", "", [], {}, "0000-00-00 00:00:00", None])
def test_values_that_mean_none_become_none(none):
    assert mapped("ideas", {"id": 1, "created_at": none}).columns["created_at"] is None


def test_zero_false_and_empty_are_not_the_same():
    columns = mapped("ideas", {"id": 1, "is_anonymous": False, "score": 0, "created_at": False}).columns
    assert columns["is_anonymous"] is False
    assert columns["score"] == 0
    assert columns["created_at"] is False


def test_an_empty_list_in_place_of_an_object_means_none():
    record = mapped("ideas", {"id": 1, "author": [], "stage": []})
    assert (record.columns["author_id"], record.columns["stage_id"], record.extra) == (None, None, {})


@pytest.mark.parametrize(
    ("author", "author_id"),
    [
        (7, 7),
        ("u7", "u7"),
        ("7", "7"),
        ([{"id": 7}], 7),
        ([{"id": 7}, {"id": 8}], 7),
        ([7], 7),
        ("Ann", None),
        ("Ann 2", None),
        ("ann2@example.com", None),
        (0, None),
        (True, None),
    ],
)
def test_a_bare_id_can_stand_for_an_object_but_no_name_for_an_id(author: Any, author_id: Any) -> None:
    assert mapped("ideas", {"id": 1, "author": author}).columns["author_id"] == author_id


def test_every_record_gets_its_scope_and_an_id_that_is_text():
    record = mapped("ideas", {"id": 12, "challenge": {"id": 99}}, scope="7")
    assert (record.columns["id"], record.columns["challenge_id"]) == ("12", "7")
    assert mapped("ideas", {"id": 12.0}).columns["id"] == "12"


def test_a_record_without_an_id_gets_a_composite_id():
    assert mapped("votes", {"user_id": 5, "stage_id": "s"}).columns["id"] == '["7","5","s"]'
    assert mapped("votes", {"user_id": "5"}).columns["id"] == mapped("votes", {"user": {"id": 5.0}}).columns["id"]
    assert mapped("votes", {"id": "v", "user_id": 5}).columns["id"] == "v"


def test_a_record_without_any_key_value_has_no_id():
    assert mapped("votes", {}).columns["id"] is None
    assert mapped("votes", {"comment": "well"}).columns["id"] is None


def test_a_vote_whose_person_is_unknown_is_identified_by_what_does_not_change_in_it():
    vote = mapped("votes", {"user": None, "stage_id": "s", "value": 1, "updated_at": "2024-01-01"})
    again = mapped("votes", {"value": 1, "stage_id": "s", "updated_at": "2024-01-02", "x": "y"})
    assert vote.columns["id"] == again.columns["id"]
    assert vote.columns["id"].startswith('["7",null,"s","~')
    assert is_anonymous(vote.columns["id"])
    assert mapped("votes", {"stage_id": "s", "value": -1}).columns["id"] != vote.columns["id"]
    assert not is_anonymous(mapped("votes", {"user_id": 5, "value": 1}).columns["id"])


def test_the_people_are_those_of_the_tables():
    found = {t: c.name for t in PEOPLE for c in TABLES[t].columns if c.info["pii"] == "person_id"}
    assert found == PEOPLE
    assert PEOPLE.keys() == {name for name in CONTRACT.streams if name not in ("users", "challenges")}


@pytest.mark.parametrize("nulls", [{"author": None}, {"author": []}, {"author": {}}, {"author_id": "0"}])
def test_a_column_whose_value_is_null_is_none(nulls):
    columns = mapped("ideas", {"id": 1} | nulls).columns
    assert columns == {"id": "1", "challenge_id": "7", "author_id": None}


@pytest.mark.parametrize("missing", [{}, {"author": {"name": "Ann"}}, {"body": {}, "authors": 5}])
def test_a_column_whose_paths_are_missing_is_left_out(missing):
    assert "author_id" not in mapped("ideas", {"id": 1} | missing).columns


def test_a_record_that_was_requested_by_its_id_has_that_id(tmp_path):
    contract = overridden(
        tmp_path,
        "streams: {users: {path: 'u/{user_id}', reads: one, paging: {style: none}, "
        "each: {of: ideas.author_id, placeholder: user_id}}}",
    )
    columns = field_map(contract, "users")({"name": "Ann"}, None, 0, "42").columns
    assert columns["id"] == "42"
    assert columns == {"display_name": "Ann", "id": "42"}


def test_the_key_of_a_keyed_map_can_be_the_id(tmp_path):
    contract = overridden(tmp_path, "streams: {ideas: {fields: {id: [id, '@key']}}}")
    [(key, record)] = records_in({"data": {"12": {"title": "t"}}}, ("data",))
    assert field_map(contract, "ideas")(record, key, 0, "7").columns["id"] == "12"


def test_unmapped_fields_are_kept_leaf_by_leaf():
    record = mapped(
        "ideas", {"id": 1, "stage": {"id": 2, "name": "n"}, "rank": 3, "description": "d", "body": "b", "tags": []}
    )
    assert record.extra == {"stage": {"name": "n"}, "rank": 3}


def test_personal_data_is_left_out_at_any_depth():
    record = mapped(
        "ideas",
        {
            "id": 1,
            "author": {"id": 2, "name": "Ann", "email": "ann@example.com"},
            "Email": "x",
            "contact": "ann@example.com",
            "owners": ["Ann <ann@example.com>", "group 7", {"E_Mail": "x", "seat": 4}],
            "meta": {"by": " ann@example.com "},
            "ann@example.com": True,
            "note": "@ noon",
        },
    )
    assert record.extra == {"owners": ["group 7", {"seat": 4}], "note": "@ noon"}


def test_deeply_nested_json_is_cut():
    deep: Any = {}
    for _ in range(900):
        deep = {"a": [deep]}
    assert "nested too deeply" in repr(mapped("ideas", {"id": 1, "deep": deep}).extra)


@pytest.mark.parametrize(
    ("stated", "rows"),
    [
        ([{"question_id": 3, "value": "yes"}], [(3, "yes")]),
        ({"3": {"label": "Colour?", "answer": ["red"]}}, [("3", ["red"])]),
        ({"colour": "red", "size": 5}, [("colour", "red"), ("size", 5)]),
        ({"question_id": 3, "value": "yes"}, [(3, "yes")]),
        ({"data": [{"question_id": 3, "value": "yes"}], "total": 1}, [(3, "yes")]),
        ({"nodes": [{"question_id": 3, "value": "yes"}]}, [(3, "yes")]),
        ({"edges": [{"node": {"question_id": 3, "value": "yes"}}], "pageInfo": {"hasNextPage": False}}, [(3, "yes")]),
        ({"items": [], "totalCount": 0}, []),
        ({"items": ["a", "b"], "colour": "red"}, [("items", ["a", "b"]), ("colour", "red")]),
        ([None], []),
        ([], []),
        ({}, []),
        ("", []),
        (None, []),
    ],
)
def test_embedded_rows_come_as_a_list_a_keyed_map_or_plain_values(stated, rows):
    answers = mapped("ideas", {"id": 12, "answers": stated}).embedded["idea_answers"]
    assert [(row.columns["question_id"], row.columns["value"]) for row in answers] == rows
    assert all(row.columns["idea_id"] == "12" for row in answers)


def test_plain_values_and_positions_can_be_embedded_rows():
    record = mapped("ideas", {"id": 1, "tags": ["a", "b"], "coauthors": [5, 6], "labels": {"l1": {"text": "Won"}}})
    assert [row.columns["tag"] for row in record.embedded["idea_tags"]] == ["a", "b"]
    assert [(r.columns["user_id"], r.columns["position"]) for r in record.embedded["idea_coauthors"]] == [
        (5, 0),
        (6, 1),
    ]
    assert [(r.columns["label_id"], r.columns["name"]) for r in record.embedded["idea_labels"]] == [("l1", "Won")]


@pytest.mark.parametrize("record", [{"id": 1}, {"id": 1, "tags": 3}, {"id": 1, "tags": True}])
def test_a_missing_list_does_not_count_as_empty(record):
    assert mapped("ideas", record).embedded == {}


def test_rows_inside_a_vote_without_an_id_belong_to_its_composite_id():
    record = mapped("votes", {"user_id": 5, "ratings": {"c1": 4}})
    [rating] = record.embedded["vote_ratings"]
    assert (rating.columns["vote_id"], rating.columns["criterion_id"], rating.columns["rating"]) == (
        '["7","5",null]',
        "c1",
        4,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["id", "tags", "author", "answers", "title", "x", "@"]), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_mapped_to_columns_that_the_contract_names(record):
    result = mapped("ideas", record)
    assert {"id", "challenge_id"} <= set(result.columns) <= {*CONTRACT.streams["ideas"].fields, "challenge_id"}


@given(JSON)
def test_any_body_gives_records_or_an_error(body):
    try:
        found = records_in(body, ("id", "x.id"))
    except UnexpectedResponse:
        return
    for index, (key, record) in enumerate(found):
        field_map(CONTRACT, "ideas")(record, key, index, "7")


NUMBERED = {"streams": {"comments": {"key": ["idea_id", "id"]}}}


def numbered(record: dict[str, Any], scope: str = "7") -> Record:
    """A comment as a contract maps it whose ids are unique within an idea only."""
    return field_map(contract_with(NUMBERED), "comments")(record, None, 0, scope)


def test_a_key_with_id_makes_every_id_composite():
    assert numbered({"id": 1}).columns["id"] == '["7","1"]'
    assert numbered({"id": "1"}, scope="8").columns["id"] == '["8","1"]'


def test_a_composite_parent_id_refers_to_a_comment_of_the_same_idea():
    assert numbered({"id": 2, "parent_id": 1.0}).columns["parent_comment_id"] == '["7","1"]'
    assert numbered({"id": 2, "parent_id": 0}).columns["parent_comment_id"] is None
    assert "parent_comment_id" not in numbered({"id": 2}).columns


@pytest.mark.parametrize("own", [None, True, 1.5, ["1"], {"no": 1}])
def test_a_missing_or_invalid_id_stays_as_it_is(own):
    assert numbered({"id": own}).columns["id"] == own
    assert numbered({}).columns.get("id") is None


def test_embedded_rows_belong_to_the_composite_id():
    votes = field_map(contract_with({"streams": {"votes": {"key": ["idea_id", "id"]}}}), "votes")
    [rating] = votes({"id": 3, "ratings": {"cost": 4}}, None, 0, "7").embedded["vote_ratings"]
    assert rating.columns["vote_id"] == '["7","3"]'


def test_the_self_references_are_those_of_the_tables():
    found = {t.name: c.name for t in TABLES.values() for c in t.columns if c.info["references"] == t.name}
    assert found == SELF_REFERENCES


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("R&amp;D", "R&D"),
        ("&lt;b&gt; &quot;it&#39;s&#x27; &nbsp;&euro;", "<b> \"it's' \xa0€"),
        ("&amp;amp;", "&amp;"),
        ("?a=1&copy=2 AT&T &copyright; &", "?a=1&copy=2 AT&T &copyright; &"),
        ("&#0;&#x110000;&#9999999;", "\ufffd\ufffd\ufffd"),
        (None, None),
        (7, 7),
    ],
)
def test_entities_are_decoded_once_where_the_contract_says_so(sent: Any, stored: Any) -> None:
    contract = contract_with({"streams": {"ideas": {"fields": {"title": {"paths": ["title"], "entities": True}}}}})
    columns = field_map(contract, "ideas")({"id": 1, "title": sent, "body": "R&amp;D"}, None, 0, "7").columns
    assert (columns["title"], columns["body"]) == (stored, "R&amp;D")
