from __future__ import annotations

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


def test_the_summary_has_totals_and_the_busiest_days(sqlite_url):
    rows = days(10, ideas=1)
    rows[3]["ideas"] = 5
    section, _ = shown(sqlite_url, daily_activity=rows)
    assert section.charts[0].summary == "Totals: ideas 14, most on 2026-03-25 (5); comments 0; votes 0."
