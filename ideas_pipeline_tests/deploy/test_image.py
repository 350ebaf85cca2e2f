"""``deploy/Dockerfile``, read as text: no Docker runs here. ``make sbom`` runs its line that installs, in .ci/run."""

from __future__ import annotations

import re
import tomllib

from ideas_pipeline_tests.processes import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_line_that_installs_is_the_one_that_make_sbom_runs() -> None:
    [line] = re.findall(r"^RUN \.venv/bin/(python deploy/install\.py .+)$", DOCKERFILE, re.MULTILINE)
    assert f"build/production/bin/{line}" in (ROOT / "Makefile").read_text()


def test_everything_that_is_copied_exists_and_nothing_else_is_sent_to_docker() -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    }
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    first, *others = [
        line
        for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert (first, {line.removeprefix("!") for line in others if line.startswith("!")}) == ("*", copied)


def test_the_last_stage_runs_as_a_user_without_rights() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001$", last, re.MULTILINE)
    assert "pip" not in re.findall(r"^RUN .*$", last, re.MULTILINE)[0]


def test_every_file_names_the_image_of_this_version() -> None:
    named = [
        (path.name, tag)
        for path in sorted((ROOT / "deploy").rglob("*"))
        if path.is_file()
        for tag in re.findall(r"ideas-pipeline(?::|, tag: )(\d[\w.]*)", path.read_text())
    ]
    assert {name for name, _ in named} == {"Dockerfile", "compose.yaml", "values.yaml"}
    assert {tag for _, tag in named} == {VERSION}
