from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.defs.count_checks import count_check_specs, count_results
from ideas_pipeline.settings import Settings
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.runs import RunStart, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.defs.running import checks, nightly_sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, load
from ideas_pipeline_tests.warehouse.calls import call_writing

CONTRACT = load_contract(None)
SETTINGS = Settings(community=COMMUNITY)
TONIGHT = datetime.now(UTC)
WEEKDAYS, WEEKEND = [200, 210, 190, 220, 205], [12, 15]


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as opened:
        yield opened


def results(warehouse: Warehouse, stream: str) -> dict[str, dg.AssetCheckResult]:
    with warehouse.reading() as tx:
        return {str(r.check_name): r for r in count_results(tx, SETTINGS, CONTRACT, stream)}


def nights(warehouse: Warehouse, *inserted: int, stream: str = "comments", hidden: int = 0) -> dg.AssetCheckResult:
    """What the check of the volume says after a first reading and nights with so many new rows, tonight the last."""
    for back, rows in enumerate(reversed([100_000, *inserted])):
        at = TONIGHT - timedelta(days=back)
        run = f"night-{back}"
        call_writing(warehouse, start_run, RunStart(run, "https://api.example.com/v2/", at))
        call_writing(warehouse, start_stream, run, stream, at)
        call_writing(warehouse, finish_stream, run, stream, at, "complete", None, inserted=rows, hidden_changes=hidden)
    return results(warehouse, stream)["volume"]


def test_a_night_with_far_fewer_rows_than_any_other_is_a_warning(warehouse: Warehouse) -> None:
    check = nights(warehouse, *[200] * 10, 20)

    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "Far less came than usual: 20 new rows a day; other nights had 200 to 200." in str(check.description)
    assert "run `ideas-pipeline check`" in str(check.description)


def test_it_goes_on_being_said_for_some_nights_and_odd_ones_before_do_not_silence_it(warehouse: Warehouse) -> None:
    assert not nights(warehouse, *[200] * 20, 0, 0).passed


def test_a_night_with_far_more_rows_is_a_warning_that_says_where_to_look(warehouse: Warehouse) -> None:
    check = nights(warehouse, *[200] * 10, 2_000)

    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "Far more came than usual" in str(check.description)
    assert "Look at the newest rows of comments (`_first_seen_at`)" in str(check.description)


@pytest.mark.parametrize(
    "inserted",
    [
        pytest.param([200] * 6 + [0], id="fewer than a week of nights to compare with"),
        pytest.param((WEEKDAYS + WEEKEND) * 3, id="a weekend as every week"),
        pytest.param([*WEEKDAYS, *WEEKEND, *WEEKDAYS, 10], id="the second weekend"),
        pytest.param([3, 0, 1, 0, 2, 0, 0, 4, 0, 25], id="a small community's lively day"),
        pytest.param([9, 12, 8, 11, 7, 13, 9, 0], id="a small community's quiet day"),
        pytest.param([0] * 20, id="nobody there"),
        pytest.param([200] * 10 + [90], id="a slow day"),
    ],
)
def test_what_is_no_news_is_not_said(warehouse: Warehouse, inserted: list[int]) -> None:
    assert nights(warehouse, *inserted).passed


def test_changes_that_parents_did_not_announce_are_a_warning_with_the_setting_that_mends_it(
    warehouse: Warehouse,
) -> None:
    nights(warehouse, 5, hidden=3)
    check = results(warehouse, "comments")["hidden_changes"]

    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    said = str(check.description)
    assert said.startswith("3 lists of comments had changed though their parents said nothing")
    assert "seen up to 14 nights late" in said
    assert "streams.comments.each.changed_when" in said


def test_counts_that_differ_from_the_declared_ones_are_a_warning_with_the_query_that_names_them(
    warehouse: Warehouse,
) -> None:
    load(warehouse, "ideas", [idea("1", comment_count=2), idea("2", comment_count=1)], on=1)
    load(warehouse, "comments", [{"id": "a", "idea_id": "2", "_scope": "2"}], on=1)

    check = results(warehouse, "comments")["declared_counts"]

    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    said = str(check.description)
    assert said.startswith("1 of 2 ideas declare another number of comments than there are rows: 3 are declared, 1 are")
    assert "(2 are declared and not there)" in said
    assert "HAVING COUNT(c.id) <> p.comment_count" in str(check.metadata["which"].value)


def test_a_stream_is_asked_only_what_the_contract_says_of_it() -> None:
    asked = {
        stream: {spec.name for spec in count_check_specs(dg.AssetKey(stream), CONTRACT, stream)}
        for stream in CONTRACT.streams
    }
    assert asked == {
        "challenges": {"volume"},
        "users": {"volume"},
        "ideas": {"volume", "declared_counts"},
        "comments": {"volume", "declared_counts", "hidden_changes"},
        "votes": {"volume", "declared_counts", "hidden_changes"},
    }


def test_a_source_that_counts_otherwise_is_said_after_a_real_night(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        next(iter(tables["ideas"].values()))["comment_count"] += 5

    found = checks(nightly_sync(instance))["comments declared_counts"]

    assert not found.passed
    assert {name: found.metadata[name].value for name in ("differ", "missing", "surplus")} == {
        "differ": 1,
        "missing": 5,
        "surplus": 0,
    }
