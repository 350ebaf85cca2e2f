from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from ideas_pipeline.report import adoption, challenges, cohorts, completeness, funnels, moderation, people, responses
from ideas_pipeline.report.formatting import NONE, length_of_time
from ideas_pipeline_tests.report.marts_with import AS_OF, figures


def cells(table):
    """The cells with plain spaces."""
    return [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def a_challenge(number, **columns):
    return {"challenge_id": str(number), "title": f"Question {number}"} | columns


def stages(challenge, *reached, **columns):
    return [
        {
            "challenge_id": str(challenge),
            "stage_id": f"s{at}",
            "place": at + 1,
            "name": name,
            "ideas": reached[0],
            "reached": n,
            "conversion": reached[at + 1] / n if at + 1 < len(reached) else None,
            "reached_rate": n / reached[0],
        }
        | columns
        for at, (n, name) in enumerate(zip(reached, ("Collect", "Refine", "Decide"), strict=False))
    ]


def test_challenges_are_sorted_by_contributors(sqlite_url):
    rows = [
        a_challenge(
            1, contributors=5, ideas=9, registered=50, participation_rate=0.08, votes=1200, votes_per_idea=133.3
        ),
        a_challenge(
            2, contributors=40, ideas=2, registered=50, last_contribution_at=datetime(2026, 3, 31, 23, tzinfo=UTC)
        ),
        a_challenge(3),
    ]
    section = challenges.section(figures(sqlite_url, challenges=rows))
    (chart,) = section.charts
    assert cells(chart.table) == [
        ["Question 2", "40", "–", "2", "0", "0", "–", "–", "2026-04-01"],
        ["Question 1", "5", "8.0 %", "9", "0", "1,200", "–", "133.3", "–"],
        ["Question 3", "0", "–", "0", "0", "0", "–", "–", "–"],
    ]
    assert "Question 3" not in chart.wide, "where nobody took part nothing is drawn"
    assert plain(section.meaning).count("÷ the 50 people registered now") == 1


def test_challenges_are_listed_if_nobody_is_known_to_have_contributed(sqlite_url):
    ideas = [a_challenge(1, ideas=2), a_challenge(2, ideas=3, comments=1)]
    section = challenges.section(figures(sqlite_url, challenges=ideas))
    assert section.charts == ()
    assert [row[:5] for row in cells(section.tables[0])] == [
        ["Question 2", "0", "–", "3", "1"],
        ["Question 1", "0", "–", "2", "0"],
    ]
    assert "does not say who contributed" in section.meaning


def test_a_challenge_without_ideas_has_a_text(sqlite_url):
    section = challenges.section(figures(sqlite_url, challenges=[a_challenge(3)]))
    assert plain(section.meaning) == "There are no ideas in the community's 1 challenge yet."


def test_a_funnel_shows_each_stage_with_its_denominators(sqlite_url):
    times = [{"challenge_id": "1", "stage_id": "s0", "median_seconds": 5 * 86400}]
    section = funnels.section(
        figures(
            sqlite_url,
            challenges=[a_challenge(1, contributors=3)],
            funnel=stages(1, 40, 30, 6, currently_in=4, entered=5, skipped=1, not_observed=2, re_entered=3),
            stage_times=times,
        )
    )
    (chart,) = section.charts
    assert cells(chart.table) == [
        ["1. Collect", "40", "100 %", "5", "1", "2", "3", "4", "75.0 %", "5 days"],
        ["2. Refine", "30", "75.0 %", "5", "1", "2", "3", "4", "20.0 %", "–"],
        ["3. Decide", "6", "15.0 %", "5", "1", "2", "3", "4", "–", "–"],
    ]
    assert plain(chart.summary) == (
        "Of 40 ideas, 6 (15.0 %) reached “3. Decide”; “2. Refine” has the lowest conversion to the next stage (20.0 %)."
    )


def test_funnels_with_the_most_contributors_are_drawn_and_the_rest_are_in_a_table(sqlite_url):
    many = range(1, 10)
    section = funnels.section(
        figures(
            sqlite_url,
            challenges=[a_challenge(n, contributors=n) for n in many],
            funnel=[row for n in many for row in stages(n, 10, 5)],
        )
    )
    assert [chart.title for chart in section.charts] == [f"Question {n}" for n in (9, 8, 7, 6, 5, 4)]
    (rest,) = section.tables
    assert cells(rest) == [[f"Question {n}", "10", "10 → 5", "50.0 %"] for n in (3, 2, 1)]


def test_first_responses_are_counted_by_their_delay(sqlite_url):
    response_seconds = [60, 3600, 3601, 86400, 86401, 8 * 86400, 40 * 86400, None]
    ideas = [
        {"idea_id": str(at), "submitted_at": AS_OF, "seconds_to_first_response": seconds}
        for at, seconds in enumerate(response_seconds)
    ]
    section = responses.section(figures(sqlite_url, idea_lifecycle=ideas))
    (chart,) = section.charts
    assert cells(chart.table) == [
        ["Within an hour", "2", "25.0 %"],
        ["1 hour to a day", "2", "25.0 %"],
        ["1 to 3 days", "1", "12.5 %"],
        ["3 to 7 days", "0", "0 %"],
        ["1 to 4 weeks", "1", "12.5 %"],
        ["Over 4 weeks", "1", "12.5 %"],
        ["No response yet", "1", "12.5 %"],
    ]
    assert [plain(number.value) for number in section.numbers] == ["24 hours", "40 days", "12.5 %"]


def test_an_unknown_response_time_is_not_unanswered_and_an_unknown_place_has_no_number(sqlite_url):
    ideas = [
        {"idea_id": "1", "responses": 2, "seconds_to_first_response": None},
        {"idea_id": "2", "responses": 1, "seconds_to_first_response": 60},
    ]
    challenge = {"challenge_id": "1", "title": "Lunch", "contributors": 3, "ideas": 2}
    stage = {"challenge_id": "1", "stage_id": "s", "name": "Review", "place": 1, "ideas": 2, "reached": 1, "entered": 1}
    unlisted = {"challenge_id": "1", "stage_id": "x", "name": "Old", "ideas": 2, "entered": 1, "currently_in": 1}
    found = figures(sqlite_url, idea_lifecycle=ideas, challenges=[challenge], funnel=[unlisted, stage])
    (chart,) = responses.section(found).charts
    assert cells(chart.table)[-2:] == [["Time not known", "1", "50.0 %"], ["No response yet", "0", "0 %"]]
    (chart,) = funnels.section(found).charts
    assert [row[:4] for row in cells(chart.table)] == [["1. Review", "1", NONE, "1"], ["Old", NONE, NONE, "1"]]


@pytest.mark.parametrize(("percents", "value"), [(50, 2), (90, 4), (25, 1), (26, 2), (100, 4)])
def test_a_percentile_is_one_of_the_values_as_in_the_marts(percents, value):
    assert responses.percentile([1, 2, 3, 4], percents) == value
    assert responses.percentile([], percents) is None


def test_engagement_levels_have_meanings_and_denominators(sqlite_url):
    rows = [
        {"engagement_level": "viewer", "people": 6, "of_people": 10, "share": 0.6},
        {"engagement_level": "all_rounder", "people": 4, "of_people": 10, "share": 0.4},
    ]
    section = people.engagement(figures(sqlite_url, engagement=rows))
    (chart,) = section.charts
    assert cells(chart.table) == [
        ["All-rounders", "ideas, and comments or votes", "4", "40.0 %"],
        ["Generators", "only ideas", "0", "0 %"],
        ["Feedbackers", "only comments or votes", "0", "0 %"],
        ["Viewers", "no contribution, but a visit", "6", "60.0 %"],
    ]
    assert plain(chart.summary).startswith("Of 10 people, 4 (40.0 %) contributed.")
    assert "feedbackers: only comments or votes" in section.meaning, "the words are explained where they are drawn"


def test_concentration_names_both_its_denominators(sqlite_url):
    rows = [
        {
            "top_percent": p,
            "people": p,
            "of_people": 100,
            "contributions": n,
            "of_contributions": 2000,
            "share": n / 2000,
        }
        for p, n in ((1, 100), (10, 900), (100, 2000))
    ]
    section = people.concentration(figures(sqlite_url, concentration=rows))
    assert cells(section.charts[0].table) == [["1 %", "1", "100", "5.0 %"], ["10 %", "10", "900", "45.0 %"]]
    assert "2,000 contributions" in plain(section.meaning)
    assert "100 people who contributed" in plain(section.meaning)


def a_cohort(first, size, *active):
    return [
        {
            "cohort_month": date(2026, first, 1),
            "months_later": later,
            "month": date(2026, first + later, 1),
            "cohort_size": size,
            "active": n,
            "retention": n / size,
        }
        for later, n in enumerate((size, *active))
    ]


def test_cohorts_are_weighted_by_size_and_the_current_month_is_excluded(sqlite_url):
    rows = [*a_cohort(1, 100, 50, 20, 1), *a_cohort(2, 20, 1, 1), *a_cohort(3, 10, 9)]
    section = cohorts.section(figures(sqlite_url, cohorts=rows))  # as of early April
    (chart,) = section.charts
    assert chart.table.headers == ["Cohort", "People", "1", "2"]
    assert cells(chart.table) == [
        ["All", "120", "42.5 %", "20.0 %"],
        ["2026-01", "100", "50.0 %", "20.0 %"],
        ["2026-02", "20", "5.0 %", "–"],
    ]
    assert "2026-01 (100)" in chart.wide, "a share is drawn beside how many people it is of"


def test_only_the_last_cohorts_are_shown_and_the_mart_is_named(sqlite_url):
    starts = [date(2024 + at // 12, at % 12 + 1, 1) for at in range(20)]
    rows = [
        {"cohort_month": first, "months_later": 1, "month": later, "cohort_size": 1000, "active": 1, "retention": 0.001}
        for first, later in pairwise(starts)
    ]
    section = cohorts.section(figures(sqlite_url, cohorts=rows))
    assert [row[0] for row in section.charts[0].table.rows][:2] == ["All", "2024-08"]
    assert "Only the last 12 of 19 cohorts are shown; mart_cohorts has all" in section.meaning
    assert "&lt;1</text>" in section.charts[0].wide, "somebody came back, though fewer than one in a hundred"


def test_a_community_in_its_first_month_has_no_cohorts_to_show(sqlite_url):
    section = cohorts.section(figures(sqlite_url, cohorts=a_cohort(4, 10)))
    assert not section.charts
    assert "when the first month after people's first contribution is over" in section.meaning


def test_moderation_counts_every_idea(sqlite_url):
    counted = ("removed", "closed", "by_banned_people", "pending", "rejected", "published_later", "removed_comments")
    none = dict.fromkeys(counted, 0)
    rows = [
        {"challenge_id": "1", "ideas": 30, "removed": 3, "pending": 2, "removed_rate": 0.1, "comments": 50},
        {"challenge_id": "2", "ideas": 10, "removed": 1, "by_banned_people": 1, "removed_comments": 5, "comments": 50},
    ]
    statuses = [{"status": "banned", "people": 2}]
    section = moderation.section(
        figures(
            sqlite_url,
            moderation=[none | row for row in rows],
            people=statuses,
            challenges=[a_challenge(1), a_challenge(2)],
        )
    )
    found = {row[0]: row[1:] for row in cells(section.charts[0].table)}
    assert found["Removed by a moderator"] == ["4", "10.0 %"]
    assert found["By people who are banned"] == ["1", "2.5 %"]
    assert plain(section.charts[0].summary).startswith("Of 40 ideas, removed by a moderator: 4 (10.0 %);")
    assert plain(section.charts[0].summary).endswith("Of 100 comments, removed: 5 (5.0 %).")
    by_challenge, by_status = section.tables
    assert cells(by_challenge)[0] == ["Question 1", "30", "2", "3", "10.0 %", "–", "–"]
    assert cells(by_status) == [["banned", "2", "0"]]


def test_adoption_is_of_all_ideas_and_the_class_adopted_comes_first(sqlite_url):
    rows = [
        {"challenge_id": "1", "class": "declined", "ideas": 30, "ideas_ever": 20, "ideas_now": 20, "rate": 2 / 3},
        {"challenge_id": "1", "class": "adopted", "ideas": 30, "ideas_ever": 3, "ideas_now": 1, "rate": 0.1},
        {"challenge_id": "2", "class": "adopted", "ideas": 10, "ideas_ever": 1, "ideas_now": 1, "rate": 0.1},
    ]
    section = adoption.section(figures(sqlite_url, adoption=rows, challenges=[a_challenge(1), a_challenge(2)]))
    assert cells(section.charts[0].table)[0] == ["adopted", "4", "10.0 %", "2"]
    assert plain(section.charts[0].summary).startswith("4 of 40 ideas (10.0 %)")


def test_without_label_classes_the_section_explains_how_to_fill_them(sqlite_url):
    section = adoption.section(figures(sqlite_url))
    assert not section.charts
    assert "label_classes" in section.meaning


def test_a_long_table_is_cut_and_its_caption_names_the_mart(sqlite_url):
    section = challenges.section(figures(sqlite_url, challenges=[a_challenge(n, contributors=1) for n in range(150)]))
    table = section.charts[0].table
    assert len(table.rows) == 100
    assert table.caption.endswith("The first 100 of 150; all are in mart_challenges")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "under 2 minutes"),
        (120, "2 minutes"),
        (7_200, "2 hours"),
        (172_799, "48 hours"),
        (172_800, "2 days"),
        (302_400, "3.5 days"),
        (86_400_000, "1,000 days"),
    ],
)
def test_durations_use_the_largest_unit_that_fits_twice(seconds, text):
    assert plain(length_of_time(seconds)) == text


def test_a_community_that_was_never_synced_has_no_verdict(sqlite_url):
    found = figures(sqlite_url)
    assert completeness.notice(found) == ""
    assert "not known" in completeness.section(found).meaning
