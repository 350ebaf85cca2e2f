from __future__ import annotations

import re

import pytest

from ideas_pipeline.report import activity
from ideas_pipeline_tests.report.marts_with import days, figures


def shown(url, **marts):
    section = activity.section(figures(url, **marts))
    return section, [chart.table for chart in section.charts]


def test_up_to_a_quarter_is_shown_by_day(sqlite_url):
    section, (done, active) = shown(sqlite_url, daily_activity=days(92, ideas=1, active_28d=7))
    assert (len(done.rows), len(active.rows)) == (92, 92)
    assert done.rows[-1] == ["2026-03-31", "1", "0", "0", "0"]
    assert "may be incomplete" not in section.meaning


def test_up_to_two_years_are_shown_by_week_from_monday_on(sqlite_url):
    section, (done, active) = shown(sqlite_url, daily_activity=days(95, ideas=1, new_contributors=2, active_28d=7))
    assert done.rows[0] == ["2025-12-22", "2", "0", "0", "4"], "from the Saturday on which there was something first"
    assert done.rows[1] == ["2025-12-29", "7", "0", "0", "14"]
    assert active.rows[-1] == ["2026-03-31", "7", "0"], "a week that is not over ends with its last day"
    assert "may be incomplete" in section.meaning


def test_longer_periods_are_shown_by_month(sqlite_url):
    _, (done, _) = shown(sqlite_url, daily_activity=days(3650, votes=100))
    assert len(done.rows) == 120
    assert done.rows[-2:] == [["2026-02", "0", "0", "2,800", "0"], ["2026-03", "0", "0", "3,100", "0"]]


def test_what_has_no_known_time_at_all_is_not_shown_as_zero(sqlite_url):
    challenges = [{"challenge_id": "1", "votes": 9, "ideas": 10}]
    section, (done, _) = shown(sqlite_url, daily_activity=days(10, ideas=1), challenges=challenges)
    assert done.headers == ["Day", "Ideas", "Comments", "New contributors"]
    assert section.charts[0].title == "Ideas and comments per day"
    assert section.charts[0].summary == "Totals: ideas 10, most on 2026-03-22 (1); comments 0."
    assert section.meaning.startswith("Ideas submitted and comments written per day, from")
    assert section.meaning.endswith("Without a known time, and therefore not shown: all votes.")


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 7, 1000])
def test_an_axis_has_each_number_once(sqlite_url, most):
    rows = days(10)
    rows[4]["ideas"] = most
    section, _ = shown(sqlite_url, daily_activity=rows)
    first, *_ = section.charts[0].wide.split(">Ideas per day<")
    numbers = re.findall(r"<text[^>]*>([\d,]+)</text>", first)
    assert numbers[0] == "0"
    assert len(set(numbers)) == len(numbers)


def test_the_summary_has_totals_and_the_busiest_days(sqlite_url):
    rows = days(10, ideas=1)
    rows[3]["ideas"] = 5
    section, _ = shown(sqlite_url, daily_activity=rows)
    assert section.charts[0].summary == "Totals: ideas 14, most on 2026-03-25 (5); comments 0; votes 0."
