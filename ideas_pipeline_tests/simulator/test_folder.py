from __future__ import annotations

from pathlib import Path

import pytest

from ideas_pipeline.simulator.folder import FolderError, read_folder
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.simulator.caller import Caller, contract_with


def test_fields_that_are_not_columns_are_served_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "challenges.jsonl").write_text('{"id": "2015", "title": "Año"}\n\n{"id": 7}\n', encoding="utf-8")
    (tmp_path / "ideas.jsonl").write_text('{"id": "a", "challenge_id": 7, "code": "X-1"}\n')
    (tmp_path / "idea_tags.jsonl").write_text('{"idea_id": "a", "tag": "x"}\n{"idea_id": "a", "tag": "y"}\n')
    with Simulator(contract_with(tmp_path, {}), read_folder(tmp_path)) as sim:
        caller = Caller(sim)
        # Without a file of stages, the API says nothing of stages.
        assert caller.get("challenges").json() == {"data": [{"id": "2015", "title": "Año"}, {"id": 7}], "total": 2}
        ideas = caller.get("challenges/7/ideas").json()["data"]
        assert ideas == [{"id": "a", "code": "X-1", "tags": [{"name": "x"}, {"name": "y"}]}]
        assert caller.get("ideas/a/comments").json() == {"data": [], "total": 0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"id": "1"}\n{"id": \n', r"users\.jsonl, line 2: this line is not valid JSON"),
        ('{"id": "1"}\n["2"]\n', r"users\.jsonl, line 2: a row must be a JSON object"),
        ('{"name": "Ada"}\n', r"users\.jsonl, line 1: this row has no id"),
        ('{"id": ""}\n', r"users\.jsonl, line 1: this row has no id"),
        ('{"id": "1"}\n{"id": 1}\n', r"users\.jsonl, line 2: the id 1 was already used"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(text)
    with pytest.raises(FolderError, match=sentence):
        read_folder(tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(FolderError, match=r"users\.jsonl is not UTF-8 text"):
        read_folder(tmp_path)


def test_a_missing_or_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(FolderError, match=r"has no \*\.jsonl file"):
        read_folder(tmp_path)
