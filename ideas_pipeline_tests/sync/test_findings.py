"""The findings about one stream, and about a community: when there are any, how severe, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.sync.community_findings import State, last_complete_in_words, overdue
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.findings import (
    Expectations,
    checks,
    stream_findings,
)
from ideas_pipeline.warehouse.fields import Field, note
from ideas_pipeline.warehouse.runs import RunStart, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, label, load, night, read, reject
from ideas_pipeline_tests.warehouse.calls import call_writing

CONTRACT = load_contract(None)
EXPECTED = Expectations(timezone="UTC", verify_days=14, stale_hours=36)
TONIGHT = datetime.now(UTC)
WEEKDAYS, WEEKEND = [200, 210, 190, 220, 205], [12, 15]
START = datetime.now(UTC) - timedelta(days=100)
TITLE = Field("ideas", "title", True, frozenset({"text"}), 40, 40, START, START, None)
KARMA = Field("ideas", "_extra.karma", False, frozenset({"number"}), 40, 40, START, START, None)


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as opened:
        yield opened


def findings(warehouse: Warehouse, *fields: Field, stream: str = "ideas") -> dict[str, Finding]:
    """By code, what there is to say of ``stream`` after a night that noted ``fields``."""
    call_writing(warehouse, note, "night-1", fields)
    with warehouse.reading() as tx:
        return {finding.code: finding for finding in stream_findings(tx, CONTRACT, stream, EXPECTED, TONIGHT)}


def trouble(found: dict[str, Finding]) -> set[str]:
    """The codes of the findings that make a check fail; no sync was noted here."""
    return {code for code, finding in found.items() if finding.severity != "note"} - {"completeness"}


def nights(warehouse: Warehouse, *inserted: int, stream: str = "comments", hidden: int = 0) -> Finding:
    """The finding about the volume after a first sync and nights with so many new rows, tonight the last."""
    for back, rows in enumerate(reversed([100_000, *inserted])):
        at = TONIGHT - timedelta(days=back)
        run = f"night-{back}"
        call_writing(warehouse, start_run, RunStart(run, "https://api.example.com/v2/", at))
        call_writing(warehouse, start_stream, run, stream, at)
        call_writing(warehouse, finish_stream, run, stream, at, "complete", None, inserted=rows, hidden_changes=hidden)
    return findings(warehouse, stream=stream)["volume"]


def test_a_night_with_far_fewer_rows_than_any_other_is_a_warning(warehouse: Warehouse) -> None:
    finding = nights(warehouse, *[200] * 10, 20)

    assert finding.severity == "warning"
    assert "Far less came than usual: 20 new rows a day; other nights had 200 to 200." in finding.text
    assert "run `ideas-pipeline check`" in finding.text


def test_it_is_reported_for_some_nights_and_odd_ones_before_do_not_silence_it(warehouse: Warehouse) -> None:
    assert nights(warehouse, *[200] * 20, 0, 0).severity == "warning"


def test_a_night_with_far_more_rows_is_a_warning_that_says_where_to_look(warehouse: Warehouse) -> None:
    finding = nights(warehouse, *[200] * 10, 2_000)

    assert finding.severity == "warning"
    assert "Far more came than usual" in finding.text
    assert "Look at the newest rows of comments (`_first_seen_at`)" in finding.text


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
def test_an_ordinary_night_is_only_a_note(warehouse: Warehouse, inserted: list[int]) -> None:
    assert nights(warehouse, *inserted).severity == "note"


def test_changes_that_parents_did_not_announce_are_a_warning_with_the_setting_that_mends_it(
    warehouse: Warehouse,
) -> None:
    nights(warehouse, 5, hidden=3)
    finding = findings(warehouse, stream="comments")["hidden_changes"]

    assert finding.severity == "warning"
    text = finding.text
    assert text.startswith("Changed although the parent did not show it (")
    assert "): 3 scopes." in text
    assert "up to 14 nights late" in text
    assert "streams.comments.each.changed_when" in text


def test_scopes_that_nights_did_not_verify_in_time_are_counted_with_the_age_of_the_oldest(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    swept = {"1": night(1), "2": night(5), "an idea that is gone": night(1)}
    scopes = [read(scope, swept_at=at, remembered=True) for scope, at in swept.items()]
    load(warehouse, "comments", [], on=5, scopes=scopes)

    def late(days: float) -> str | None:
        now = night(1) + timedelta(days=days)
        with warehouse.reading() as tx:
            found = {finding.code: finding for finding in stream_findings(tx, CONTRACT, "comments", EXPECTED, now)}
        return found["verification"].what if "verification" in found else None

    assert late(days=16) is None
    assert late(days=16.5) == "Last complete more than 14 days ago: 1 scope, the oldest 16 days ago."
    assert late(days=40) == "Last complete more than 14 days ago: 2 scopes, the oldest 40 days ago."


def test_counts_that_differ_from_the_declared_ones_are_a_warning_with_the_query_that_names_them(
    warehouse: Warehouse,
) -> None:
    load(warehouse, "ideas", [idea("1", comment_count=2), idea("2", comment_count=1)], on=1)
    load(warehouse, "comments", [{"id": "a", "idea_id": "2", "_scope": "2"}], on=1)

    finding = findings(warehouse, stream="comments")["declared_counts"]

    assert finding.severity == "warning"
    text = finding.text
    assert text.startswith("1 of 2 ideas declare another number of comments than there are rows: 3 are declared, 1 are")
    assert "(2 are declared and not there)" in text
    assert "HAVING COUNT(comments.id) <> p.comment_count" in str(finding.query)


def test_a_stream_is_checked_only_for_what_the_contract_says_of_it() -> None:
    of_every_stream = {
        "completeness",
        "mass_absence",
        "rejects",
        "times",
        "unmapped_fields",
        "unknown_values",
        "vanished_fields",
        "volume",
        "referential_integrity",
    }
    assert {stream: checks(CONTRACT, stream).keys() - of_every_stream for stream in CONTRACT.streams} == {
        "challenges": set(),
        "users": set(),
        "ideas": {"contradictions", "declared_counts"},
        "comments": {"contradictions", "declared_counts", "hidden_changes", "verification"},
        "votes": {"contradictions", "declared_counts", "hidden_changes", "verification"},
    }
    assert all(of_every_stream <= checks(CONTRACT, stream).keys() for stream in CONTRACT.streams)


def test_times_that_cannot_be_true_are_counted_by_column(warehouse: Warehouse) -> None:
    odd = datetime(1985, 5, 5, tzinfo=UTC)
    rows = [
        idea("1", created_at=odd),
        idea("2", created_at=odd, updated_at=datetime(3000, 1, 1, tzinfo=UTC)),
        idea("3"),
    ]
    load(warehouse, "ideas", rows, on=1)
    finding = findings(warehouse)["times"]
    assert (finding.severity, finding.numbers) == ("warning", {"ideas.created_at": 2, "ideas.updated_at": 1})
    assert "before 1995 or after tomorrow: 3: ideas.created_at (2), ideas.updated_at (1)" in finding.what
    with warehouse.engine.connect() as connection:
        assert sorted(connection.exec_driver_sql(str(finding.query)).scalars()) == ["1", "2"]


def test_a_deadline_can_be_years_ahead(warehouse: Warehouse) -> None:
    ahead = {"deadline_at": datetime(2099, 1, 1, tzinfo=UTC), "starts_at": datetime(1960, 1, 1, tzinfo=UTC)}
    load(warehouse, "challenges", [{"id": "c1", "_scope": "", **ahead}], on=1, scopes=[])
    assert findings(warehouse, stream="challenges")["times"].numbers == {"challenges.starts_at": 1}


def days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def test_nothing_is_reported_about_a_community_as_it_always_was(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", approval_status="approved")], on=1)
    found = findings(warehouse, TITLE, KARMA)
    assert trouble(found) == set()
    assert "ideas: karma (number)" in found["unmapped_fields"].text


def test_a_new_field_is_a_warning_with_the_line_that_would_map_it(warehouse: Warehouse) -> None:
    views = replace(KARMA, field="_extra.views_total", first_seen_at=days_ago(1), last_seen_at=days_ago(1))
    finding = findings(warehouse, TITLE, KARMA, views)["unmapped_fields"]
    assert finding.severity == "warning"
    assert "ideas: views_total (number)" in finding.text
    assert "karma" not in finding.text
    assert "streams: {ideas: {fields: {view_count: views_total}}}" in finding.text


def test_a_new_field_is_news_for_two_weeks(warehouse: Warehouse) -> None:
    views = replace(KARMA, field="_extra.views_total", first_seen_at=days_ago(15), last_seen_at=days_ago(1))
    assert findings(warehouse, TITLE, views)["unmapped_fields"].severity == "note"


def test_a_vanished_field_is_a_warning_that_says_what_becomes_of_the_values(warehouse: Warehouse) -> None:
    gone = replace(TITLE, missing_since=days_ago(2))
    renamed = replace(KARMA, field="_extra.headline", kinds=frozenset({"text"}))
    finding = findings(warehouse, gone, renamed)["vanished_fields"]
    assert finding.severity == "warning"
    assert f"ideas.title (since {days_ago(2):%Y-%m-%d})" in finding.text
    assert "rows keep the values that they had" in finding.text
    assert "streams: {ideas: {fields: {title: headline}}}" in finding.text


@pytest.mark.parametrize("column", ["comment_count", "updated_at", "created_at"])
def test_a_vanished_field_by_which_changes_are_found_is_an_error(warehouse: Warehouse, column: str) -> None:
    finding = findings(warehouse, replace(TITLE, field=column, missing_since=days_ago(2)))["vanished_fields"]
    assert finding.severity == "error"
    assert f"The sync itself relies on ideas.{column}" in finding.text


def test_values_that_nobody_knew_are_a_warning_that_names_them(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", approval_status="parked"), idea("2", approval_status="parked")], on=1)
    finding = findings(warehouse)["unknown_values"]
    assert finding.severity == "warning"
    assert "ideas.approval_status: parked (2)" in finding.text
    assert "The marts count them, even if such a word means that an idea" in finding.text


@pytest.mark.parametrize(
    ("rejected", "rows", "severity"),
    [
        (9, 0, "warning"),
        (10, 1000, "warning"),
        (10, 900, "error"),
    ],
)
def test_rejects_are_an_error_beyond_ten_and_one_percent(
    warehouse: Warehouse, rejected: int, rows: int, severity: str
) -> None:
    bad = [reject(f"bad{number}") for number in range(rejected)]
    load(warehouse, "ideas", [idea(str(number)) for number in range(rows)], on=1, rejects=bad)
    finding = findings(warehouse)["rejects"]
    assert finding.severity == severity
    assert ("a field's type has changed" in finding.text) == (severity == "error")
    assert "ideas-pipeline rejects retry" in finding.text


def test_rejects_of_an_embedded_table_are_set_against_its_own_rows(warehouse: Warehouse) -> None:
    bad = [replace(reject(f"bad{n}", table="idea_labels"), record_key=f'["1","bad{n}"]') for n in range(12)]
    ideas = [idea(str(number)) for number in range(2000)]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_labels": [label("1", "l")]}, rejects=bad)
    finding = findings(warehouse)["rejects"]
    assert finding.severity == "error"
    assert "12 records of 13 rows in idea_labels" in finding.text


NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def overdue_after(created_hours_ago: float, **complete_hours_ago: float) -> Finding | None:
    complete = {stream: hours_ago(hours) for stream, hours in complete_hours_ago.items()}
    known = State([], None, None, None, complete, hours_ago(created_hours_ago))
    return overdue(CONTRACT, known, EXPECTED, NOW)


def test_each_stream_is_overdue_for_itself() -> None:
    recent = dict.fromkeys(("challenges", "users", "comments", "votes"), 35.0)
    finding = overdue_after(999, **recent, ideas=40)

    assert finding is not None
    assert (finding.code, finding.severity, finding.numbers) == ("overdue", "error", {"ideas": 40})
    assert finding.what == (
        "Not complete within the last 36 hours; last complete: ideas (2026-11-21 15:00 UTC, 1 day ago)."
    )
    assert "See in Dagster whether the schedules and the daemon run" in finding.do
    assert overdue_after(999, **recent, ideas=36) is None


def test_what_was_never_complete_is_overdue_some_time_after_the_warehouse_was_created() -> None:
    assert overdue_after(35) is None
    finding = overdue_after(37, users=1)
    assert finding is not None
    assert list(finding.numbers) == ["challenges", "ideas", "comments", "votes"]
    assert "votes (never)" in finding.what


def test_everything_is_complete_since_its_oldest_part_is() -> None:
    complete = {"ideas": hours_ago(5), "votes": hours_ago(4)}
    streams = ["ideas", "votes"]

    assert last_complete_in_words(streams, complete, NOW) == (
        "Everything was last complete 2026-11-23 02:00 UTC, 5 hours ago."
    )
    assert last_complete_in_words(streams, {"ideas": NOW}, NOW) == "Never complete: votes."


@pytest.mark.parametrize(("day", "month", "hours"), [(24, 10, 25), (28, 3, 23)], ids=["autumn", "spring"])
def test_a_day_counts_as_24_hours_when_the_clocks_change(day: int, month: int, hours: int) -> None:
    expected = Expectations(timezone="Europe/Berlin", verify_days=14, stale_hours=24)
    at = datetime(2026, month, day, 12, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    known = State([], None, None, None, dict.fromkeys(CONTRACT.order(), at), at)
    tomorrow = at + timedelta(hours=hours)

    assert overdue(CONTRACT, known, expected, tomorrow) is None
    finding = overdue(CONTRACT, known, expected, tomorrow + timedelta(minutes=1))
    assert finding is not None
    assert set(finding.numbers.values()) == {24}
