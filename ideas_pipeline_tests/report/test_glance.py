from __future__ import annotations

from datetime import timedelta

import pytest

from ideas_pipeline.report import glance
from ideas_pipeline_tests.report.marts_with import AS_OF, LAST_DAY, days, figures

BEFORE = LAST_DAY - timedelta(days=28)


@pytest.fixture
def numbers(sqlite_url):
    """The numbers of a community of 60 days: 28 with these values, and 32 before with half of them."""

    def of(**each):
        before = days(32, BEFORE, **{name: value and value / 2 for name, value in each.items()})
        section = glance.section(figures(sqlite_url, daily_activity=[*before, *days(28, **each)]))
        return {number.name: number for number in section.numbers}

    return of


def test_contributions_of_the_last_28_days_are_compared_with_the_28_before(numbers):
    ideas = numbers(ideas=2)["Ideas"]
    assert (ideas.value, ideas.change) == ("56", "▲ up 100\N{NO-BREAK SPACE}% from 28")
    assert ideas.meaning == "Ideas submitted. 88 in total."


def test_active_people_of_the_last_day_are_compared_with_28_days_before(numbers):
    active = numbers(active_28d=1600, contributors=90)["Active people"]
    assert (active.value, active.change) == ("1,600", "▲ up 100\N{NO-BREAK SPACE}% from 800")


def test_participation_changes_by_points_and_names_its_denominator(numbers):
    participation = numbers(active_28d=22, registered=1000, participation_rate=0.02)["Participation"]
    assert participation.value == "2.0\N{NO-BREAK SPACE}%"
    assert participation.change == "▲ up 1.0 points from 1.0\N{NO-BREAK SPACE}%"
    assert "÷ 1,000\N{NO-BREAK SPACE}people registered by 2026-03-31" in participation.meaning


def test_participation_names_the_people_without_a_joining_date(sqlite_url):
    people = [{"id": "1"}, {"id": "2", "joined_at": AS_OF}, {"id": "3", "status": "banned"}]
    section = glance.section(figures(sqlite_url, tables={"users": people}, daily_activity=days(56, registered=2)))
    participation = next(number for number in section.numbers if number.name == "Participation")
    assert participation.meaning.endswith(
        "registered by 2026-03-31. The joining date of 1\N{NO-BREAK SPACE}person is not known."
    )


def test_without_registered_people_there_is_no_participation(numbers):
    participation = numbers(active_28d=20, registered=0, participation_rate=None)["Participation"]
    assert (participation.value, participation.change) == ("–", "")


def test_changes_name_decreases_and_increases_from_none(sqlite_url):
    before = days(28, BEFORE, votes=10, comments=0)
    section = glance.section(figures(sqlite_url, daily_activity=[*before, *days(28, votes=9, comments=1)]))
    changes = {number.name: number.change for number in section.numbers}
    assert changes["Votes"] == "▼ down 10.0\N{NO-BREAK SPACE}% from 280"
    assert changes["Comments"] == "▲ up from none"
    assert changes["Ideas"] == "unchanged (0)"


def test_a_community_younger_than_two_periods_has_no_comparison(sqlite_url):
    section = glance.section(figures(sqlite_url, daily_activity=days(55, ideas=1)))
    assert "A comparison needs 56 days of data" in section.meaning
    assert {number.change for number in section.numbers} == {""}
    assert next(number.value for number in section.numbers if number.name == "Ideas") == "28"


def test_a_first_day_is_a_period_of_one_day(sqlite_url):
    section = glance.section(figures(sqlite_url, daily_activity=days(1, ideas=1)))
    assert section.meaning.startswith("The only day with activity, 2026-03-31. ")


def test_without_any_person_people_are_not_counted(sqlite_url):
    found = figures(sqlite_url, daily_activity=days(56, ideas=1, active_28d=0), challenges=[{"challenge_id": "1"}])
    section = glance.section(found)
    assert [number.name for number in section.numbers] == ["Ideas", "Comments", "Votes"]
    assert section.notice == "The source does not say who contributed, so people are not counted."


def test_what_has_no_known_time_at_all_is_unknown_and_not_zero(sqlite_url):
    found = figures(sqlite_url, daily_activity=days(56, ideas=1), challenges=[{"challenge_id": "1", "votes": 9}])
    numbers = {number.name: number for number in glance.section(found).numbers}
    assert (numbers["Votes"].value, numbers["Votes"].change) == ("–", "")
    assert numbers["Votes"].meaning == "Votes cast, of all types. When is not known."
    assert (numbers["Comments"].value, numbers["Ideas"].value) == ("0", "28")


def test_contributions_without_a_known_time_are_there(sqlite_url):
    section = glance.section(figures(sqlite_url, challenges=[{"challenge_id": "1", "ideas": 3, "undated": 3}]))
    assert section.meaning.startswith("No contribution has a known time: 3\N{NO-BREAK SPACE}contributions cannot")
    assert section.numbers == ()


def test_figures_older_than_a_week_cause_a_warning(sqlite_url):
    quiet = figures(sqlite_url, AS_OF + timedelta(days=6), daily_activity=days(60))
    assert "There was no activity after 2026-03-31" in glance.section(quiet).notice
    assert "8\N{NO-BREAK SPACE}days before this report" in glance.section(quiet).notice


def test_a_week_without_activity_causes_no_warning(sqlite_url):
    assert glance.section(figures(sqlite_url, AS_OF + timedelta(days=5), daily_activity=days(60))).notice == ""
