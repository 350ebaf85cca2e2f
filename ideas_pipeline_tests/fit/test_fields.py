"""Which field of the records ``fit`` takes for a column, and what it says of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.fit.draft import Draft
from ideas_pipeline_tests.fit.evidence import fitted_from

TEXTS = [f"2024-01-{day:02}T10:00:00Z" for day in range(1, 13)]


def ideas(folder: Path, **columns: list[Any]) -> Draft:
    """What twelve ideas with these values show."""
    records = [
        {"id": n, "title": f"Idea {n}"} | {name: values[n] for name, values in columns.items()} for n in range(12)
    ]
    file = folder / "ideas.json"
    file.write_text(json.dumps({"data": records}))
    return fitted_from(file)


@pytest.mark.parametrize(
    "times",
    [
        [f"202401{day:02}" for day in range(1, 13)],
        [int(f"202401{day:02}") for day in range(1, 13)],
        ["0000-00-00", *TEXTS[1:]],
        ["0000-00-00 00:00:00", *TEXTS[1:]],
        ["0001-01-01T00:00:00Z", *TEXTS[1:]],
        [0, *(1_714_979_289 + n for n in range(11))],
        [1_714_979_289_000_000 + n for n in range(12)],
        [f"/Date({1_714_979_289_000 + n})/" for n in range(12)],
        [f"{day} Jan 2024, 10:00" for day in range(1, 13)],
        [[2024, 1, day, 10, 0] for day in range(1, 13)],
        [{"_seconds": 1_714_979_289 + n, "_nanoseconds": 0} for n in range(12)],
        [{"date": f"2024-01-{day:02}", "timezone_type": 3, "timezone": "Europe/Madrid"} for day in range(1, 13)],
    ],
)
def test_every_form_of_time_that_a_sync_reads_is_a_time(times: list[Any], tmp_path: Path) -> None:
    draft = ideas(tmp_path, posted_on=times)
    assert draft.contract.streams["ideas"].fields["created_at"].paths == ("posted_on",)
    assert "created_at" not in " ".join(draft.notes)


def test_counts_and_ids_are_not_times_although_a_sync_could_read_them_as_times(tmp_path: Path) -> None:
    counts = [20_240_101 + n for n in range(12)]
    snowflakes = [str(1_714_979_289_123_456_789 + n) for n in range(12)]
    draft = ideas(tmp_path, number_of_views=counts, submitter=snowflakes)
    fields = draft.contract.streams["ideas"].fields
    assert (fields["view_count"].paths, fields["author_id"].paths) == (("number_of_views",), ("submitter",))


def test_a_field_with_a_value_that_is_not_a_time_is_not_proposed_as_a_time(tmp_path: Path) -> None:
    draft = ideas(tmp_path, created=["soon", *TEXTS[1:]])
    assert "created_at" in " ".join(draft.notes)


def test_a_reply_is_known_by_the_ids_of_the_comments_whatever_their_field_is_called(tmp_path: Path) -> None:
    comments = [{"commentId": 90 + n, "text": f"Text {n}", "reply_number": 90 + n // 2} for n in range(12)]
    file = tmp_path / "comments.json"
    file.write_text(json.dumps({"data": comments}))
    fields = fitted_from(file).contract.streams["comments"].fields
    assert (fields["id"].paths, fields["parent_comment_id"].paths) == (("commentId",), ("reply_number",))


def test_lists_of_comments_inside_comments_are_proposed(tmp_path: Path) -> None:
    def comment(n: int, *answers: Any) -> dict[str, Any]:
        return {"commentId": n, "text": f"Text {n}", "thread": {"size": len(answers), "answers": list(answers)}}

    file = tmp_path / "comments.json"
    file.write_text(json.dumps({"data": [comment(n, comment(100 + n, comment(200 + n))) for n in range(12)]}))
    assert fitted_from(file).contract.streams["comments"].nested == ("replies", "children", "thread.answers")


@pytest.mark.parametrize("replies", [3, [7, 8], [{"id": 7, "name": "Ann"}]], ids=["a number", "ids", "people"])
def test_other_things_inside_a_comment_are_not_taken_for_comments(replies: Any, tmp_path: Path) -> None:
    file = tmp_path / "comments.json"
    records = [{"id": n, "text": "Text", "created": TEXTS[n], "answered": replies} for n in range(12)]
    file.write_text(json.dumps({"data": records}))
    assert ("streams", "comments", "nested") not in fitted_from(file).lines


@pytest.mark.parametrize("field", ["title", "headline"])
def test_texts_that_are_escaped_without_being_html_are_to_be_decoded(field: str, tmp_path: Path) -> None:
    file = tmp_path / "ideas.json"
    file.write_text(
        json.dumps({"data": [{"id": n, field: f"R&amp;D {n}", "body": f"<p>B &amp; {n}</p>"} for n in range(12)]})
    )
    fields = fitted_from(file).contract.streams["ideas"].fields
    assert [name for name, source in fields.items() if source.entities] == ["title"]
    assert field in fields["title"].paths


def test_a_field_that_says_whether_a_record_is_deleted_is_proposed(tmp_path: Path) -> None:
    file = tmp_path / "ideas.json"
    records = [{"id": n, "title": f"T{n}", "deleted_at": TEXTS[n] if n % 3 == 0 else None} for n in range(12)]
    file.write_text(json.dumps({"data": records}))
    stream = fitted_from(file).contract.streams["ideas"]
    assert stream.deleted == ("deleted_at",)
    assert not any("deleted_at" in source.paths for source in stream.fields.values())


@pytest.mark.parametrize("spelled", [str, str.title, str.upper, lambda word: word.replace("_", " ").capitalize()])
def test_a_status_is_known_by_its_words_however_they_are_spelled(spelled: Callable[[str], str], tmp_path: Path) -> None:
    words = [spelled(word) for word in ("clear", "closed", "closed_comments", "removed") * 3]
    draft = ideas(tmp_path, moderation_note=words)
    assert draft.contract.streams["ideas"].fields["moderation_status"].paths == ("moderation_note",)
