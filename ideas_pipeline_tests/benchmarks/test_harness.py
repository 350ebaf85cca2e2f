"""The benchmark runs, and its page shows what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ideas_pipeline_tests.benchmarks.community import CHANGED, COMMUNITIES, STREAMS, Community
from ideas_pipeline_tests.benchmarks.contestants import BARE, DLT, OURS
from ideas_pipeline_tests.benchmarks.dlt_environment import existing
from ideas_pipeline_tests.benchmarks.harness import KEPT, run
from ideas_pipeline_tests.benchmarks.page import BEGIN, END, write
from ideas_pipeline_tests.benchmarks.results import Measurement, append, of_rounds, read
from ideas_pipeline_tests.benchmarks.targets import outcomes

MEASURED = Measurement("r", "S", "children", "sqlite", 1, "first", OURS, 4.0, 3.0, 0.0, 0.1, 200, 3200, 45_020, 45_020)


def test_all_contestants_run_and_hold_what_the_api_has() -> None:
    dlt = existing(KEPT / "dlt")
    found = list(run("tiny", [("flat", "sqlite")], 1, dlt, steps=("first", "changed")))
    found += run("tiny", [("children", "sqlite")], 1, dlt, steps=("first",))
    requests = {(one.shape, one.step, one.contestant): one.requests for one in found}
    for contestant in {OURS, BARE} | ({DLT} if dlt else set()):
        assert requests["flat", "changed", contestant] < requests["flat", "first", contestant]
        assert requests["children", "first", contestant] > 2 * COMMUNITIES["tiny"].ideas
    assert all(one.rows == one.records for one in found if one.contestant == OURS)
    assert all(one.wall > 0 and one.cpu > 0 and one.peak_mb > 10 for one in found)


@pytest.fixture(scope="module")
def community() -> Community:
    return Community(COMMUNITIES["tiny"])


def test_every_list_has_the_records_of_its_stream(community: Community) -> None:
    community.reset()
    counts = community.counts()
    assert counts == {name: getattr(COMMUNITIES["tiny"], name) for name in STREAMS}
    assert community.page("votes", 0, 10_000, None)[1] == counts["votes"]
    of_ideas = [community.page(f"ideas/{idea}/votes", 0, 10_000, None)[0] for idea in community.streams["ideas"]]
    assert sum(map(len, of_ideas)) == counts["votes"]
    bodies, total = community.page("votes", 890, 100, None)
    assert (len(bodies), total) == (10, 900)


def test_changes_are_what_updated_since_shows_and_can_be_undone(community: Community) -> None:
    community.reset()
    before = community.page("ideas", 0, 1000, None)
    community.change(CHANGED, datetime(2026, 11, 27, 3, tzinfo=UTC))
    for name in ("ideas", "comments", "votes"):
        bodies, total = community.page(name, 0, 1000, "2026-11-27T03:00:00Z")
        records = [json.loads(body) for body in bodies]
        assert {record["updated_at"] for record in records} == {"2026-11-27T03:00:00Z"}
        [idea] = {record["id"] if name == "ideas" else record["idea_id"] for record in records}
        assert total == (1 if name == "ideas" else community.page(f"ideas/{idea}/{name}", 0, 1000, None)[1])
    assert community.counts()["users"] == COMMUNITIES["tiny"].users + 1
    community.reset()
    assert community.page("ideas", 0, 1000, None) == before


def test_an_interrupted_run_still_gives_a_page(tmp_path: Path) -> None:
    results, page = tmp_path / "results.jsonl", tmp_path / "performance.md"
    page.write_text(f"Before\n{BEGIN}old figures\n{END}After\n")
    append(results, replace(MEASURED, run="an earlier run", contestant=BARE))
    append(results, MEASURED)
    append(results, replace(MEASURED, contestant=DLT, wall=10.0))
    write(page, read(results))
    text = page.read_text()
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    assert "old figures" not in text
    assert "an earlier run" not in text
    assert (
        "| first sync | 4.00 | 10.0 |  | **0.40** | 1.00 | 3.00 | 3.00 |  | **1.00** | 200 | 200 | 3,200 | 3,200 |  |"
        in text
    )
    assert "![Wall-clock seconds of each step](performance-S.svg)" in text
    assert (tmp_path / "performance-S.svg").read_text().startswith("<svg")


def test_rounds_are_shown_as_their_medians() -> None:
    [one] = of_rounds(replace(MEASURED, round=n, wall=wall, peak_mb=100 * n) for n, wall in enumerate((3, 9, 4), 1))
    assert (one.wall, one.peak_mb) == (4, 300)


def test_a_target_is_a_ratio_within_one_engine() -> None:
    found = outcomes([MEASURED, replace(MEASURED, contestant=DLT, wall=10.0), replace(MEASURED, engine="postgresql")])
    assert [(one.where, one.most, one.measured) for one in found] == [
        ("S, children, sqlite", 0.5, 0.4),
        ("S, children, sqlite", 1.4, 1.0),
        ("S, children, postgresql", 1.4, 1.0),
    ]


def test_a_measurement_is_one_line(tmp_path: Path) -> None:
    append(tmp_path / "results.jsonl", MEASURED)
    [line] = (tmp_path / "results.jsonl").read_text().splitlines()
    assert json.loads(line) == asdict(MEASURED)
