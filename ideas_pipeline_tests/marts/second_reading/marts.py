"""All marts of a community."""

from __future__ import annotations

from ideas_pipeline_tests.marts.second_reading.activity import cohorts, daily_activity
from ideas_pipeline_tests.marts.second_reading.challenges import challenge_votes, challenges
from ideas_pipeline_tests.marts.second_reading.community import Community, Row
from ideas_pipeline_tests.marts.second_reading.ideas import adoption, idea_lifecycle, response_times
from ideas_pipeline_tests.marts.second_reading.moderation import moderation
from ideas_pipeline_tests.marts.second_reading.people import concentration, contributors, engagement, people
from ideas_pipeline_tests.marts.second_reading.stages import funnel, stage_times


def marts(c: Community) -> dict[str, list[Row]]:
    return {
        "mart_daily_activity": daily_activity(c),
        "mart_challenges": challenges(c),
        "mart_challenge_votes": challenge_votes(c),
        "mart_funnel": funnel(c),
        "mart_stage_times": stage_times(c),
        "mart_idea_lifecycle": idea_lifecycle(c),
        "mart_response_times": response_times(c),
        "mart_adoption": adoption(c),
        "mart_contributors": contributors(c),
        "mart_engagement": engagement(c),
        "mart_concentration": concentration(c),
        "mart_cohorts": cohorts(c),
        "mart_moderation": moderation(c),
        "mart_people": people(c),
    }
