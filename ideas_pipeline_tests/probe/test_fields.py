"""Records of any shape can be compared, and no finding contains a person's name."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.probe.fields import check_fields
from ideas_pipeline.probe.shapes import kinds_of
from ideas_pipeline.probe.step import Step, fixed

CONTRACT = load_contract(None)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = st.sampled_from(["id", "author", "labels", "title", "answers", "a b", "created_at", "12"]) | st.text()
# Small ones show all that there is to show, and are made quickly.
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@settings(max_examples=200)
@given(records=st.lists(st.dictionaries(NAMES, ANY_JSON, max_size=4), min_size=1, max_size=3))
def test_records_of_any_shape_can_be_compared(records):
    step = Step("ideas")
    check_fields(step, CONTRACT, "ideas", [(None, record) for record in records])
    assert {path.split("[]")[0].split(".")[0] for path in step.not_mapped} <= {
        name for record in records for name in record
    } | {"*"}
    assert fixed(CONTRACT, step.fix)


def test_names_in_a_map_that_may_be_those_of_people_are_not_shown():
    records = [{"likes": {person: 1}, "by_id": {"7": {"n": 1}}} for person in ("maria", "otto", "li")]
    assert kinds_of(records) == {"likes.*": {"number"}, "by_id": {"map by key"}}


def test_texts_that_are_escaped_without_being_html_are_to_be_decoded():
    step = Step("ideas")
    records = [{"id": n, "title": "R&amp;D", "body": "<p>R&amp;D</p>", "status": "a & b"} for n in range(3)]
    check_fields(step, CONTRACT, "ideas", [(None, record) for record in records])
    mended = fixed(CONTRACT, step.fix)
    assert [name for name, source in mended.streams["ideas"].fields.items() if source.entities] == ["title"]
    assert mended.streams["ideas"].fields["title"].paths == CONTRACT.streams["ideas"].fields["title"].paths
    again = Step("ideas")
    check_fields(again, mended, "ideas", [(None, record) for record in records])
    assert not any("entities" in sentence for sentence in (*again.differs, *again.notes))


def test_names_of_people_that_are_escaped_are_noted():
    step = Step("users")
    check_fields(step, CONTRACT, "users", [(None, {"id": 1, "display_name": "O&#39;Brien"})])
    [note] = [note for note in step.notes if "HTML entities" in note]
    assert "(display_name)" in note
