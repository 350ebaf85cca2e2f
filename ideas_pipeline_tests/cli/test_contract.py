from __future__ import annotations

import json
from pathlib import Path

from ideas_pipeline.contract.load import DEFAULT_FILE
from ideas_pipeline.contract.yaml_file import parse
from ideas_pipeline_tests.cli.command import ideas_pipeline


def test_show_prints_the_default_with_its_comments(tmp_path):
    done = ideas_pipeline("contract", "show", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, DEFAULT_FILE.read_text(encoding="utf-8"))


def test_show_marks_what_is_mine(tmp_path):
    (tmp_path / "mine.yaml").write_text("limits: {concurrency: 3}\n")
    done = ideas_pipeline("contract", "show", folder=tmp_path, IDEAS_CONTRACT="mine.yaml")
    assert "concurrency: 3  # yours" in done.stdout
    assert parse(done.stdout, Path("shown.yaml")).data["limits"]["concurrency"] == 3
    as_json = ideas_pipeline("contract", "show", "--json", "mine.yaml", folder=tmp_path)
    assert json.loads(as_json.stdout)["limits"]["concurrency"] == 3


def test_validate_says_that_a_contract_is_valid(tmp_path):
    (tmp_path / "mine.yaml").write_text("limits: {concurrency: 3}\n")
    done = ideas_pipeline("contract", "validate", "mine.yaml", folder=tmp_path)
    assert done.returncode == 0
    assert "mine.yaml is valid" in done.stdout
    assert "differ from the default: 1" in done.stdout
    as_json = json.loads(ideas_pipeline("contract", "validate", "--json", "mine.yaml", folder=tmp_path).stdout)
    assert (as_json["usable"], as_json["differences"]) == (True, 1)
    assert "ideas" in as_json["streams"]


def test_validate_refuses_what_the_models_or_the_tables_do_not_know_with_exit_code_2(tmp_path):
    for text, sentence in [
        (
            "limits: {concurency: 3}",
            "mine.yaml, line 1: limits.concurency is not known here; did you mean concurrency?",
        ),
        (
            "streams: {ideas: {fields: {titel: title}}}",
            "mine.yaml, line 1: streams.ideas.fields.titel is wrong: the table ideas has no column titel; did you mean",
        ),
    ]:
        (tmp_path / "mine.yaml").write_text(text)
        done = ideas_pipeline("contract", "validate", "mine.yaml", folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr


def test_diff_lists_what_differs_and_what_was_only_assumed(tmp_path):
    (tmp_path / "mine.yaml").write_text("streams: {ideas: {fields: {title: headline}}}\n")
    done = ideas_pipeline("contract", "diff", "mine.yaml", folder=tmp_path)
    assert done.stdout.splitlines() == [
        "streams.ideas.fields.title",
        '  default  "title"  (assumed)',
        '  yours    "headline"',
    ]
    as_json = ideas_pipeline("contract", "diff", "--json", folder=tmp_path, IDEAS_CONTRACT="mine.yaml")
    assert json.loads(as_json.stdout) == [
        {"path": "streams.ideas.fields.title", "default": "title", "new": "headline", "assumed": True}
    ]


def test_no_password_in_an_address_is_ever_shown(tmp_path):
    (tmp_path / "mine.yaml").write_text("streams: {users: {parameters: {from: 'https://me:canary@host/x'}}}")
    for arguments in (["diff", "mine.yaml"], ["diff", "mine.yaml", "--json"]):
        done = ideas_pipeline("contract", *arguments, folder=tmp_path)
        assert done.returncode == 0
        assert "https://***@host/x" in done.stdout
        assert "canary" not in done.stdout


def test_diff_without_a_file_says_that_nothing_differs(tmp_path):
    assert "is the default" in ideas_pipeline("contract", "diff", folder=tmp_path).stdout
