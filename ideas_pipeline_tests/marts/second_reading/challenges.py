"""Challenges, and their votes by type."""

from __future__ import annotations

from collections import defaultdict

from ideas_pipeline_tests.marts.second_reading.arithmetic import ratio
from ideas_pipeline_tests.marts.second_reading.community import Act, Community, Row, persons


def challenges(c: Community) -> list[Row]:
    rows = []
    for challenge in c.live["challenges"]:
        ideas, acts = c.ideas_of(challenge["id"]), c.of_challenge(challenge["id"])
        comments = [act for act in acts if act.kind == "comment" and act.there]
        votes = [act for act in acts if act.kind == "vote" and act.there]
        commented, voted = ({act.idea["id"] for act in of} for of in (comments, votes))
        silent = len({idea["id"] for idea in ideas} - commented - voted)
        people = persons(acts)
        rows.append(
            {
                "challenge_id": challenge["id"],
                "title": challenge["title"],
                "type": challenge["type"],
                "starts_at": challenge["starts_at"],
                "deadline_at": challenge["deadline_at"],
                "ideas": len(ideas),
                "joint_ideas": sum(bool(c.coauthors.get(idea["id"])) for idea in ideas),
                "idea_authors": len(persons(act for act in acts if act.kind in ("idea", "joint"))),
                "comments": len(comments),
                "ideas_commented": len(commented),
                "votes": len(votes),
                "voters": len(persons(votes)),
                "ideas_voted": len(voted),
                "ideas_without_response": silent,
                "cleared": sum(not act.there for act in acts),
                "contributors": len(people),
                "registered_contributors": len(people & set(c.registered)),
                "registered": len(c.registered),
                "participation_rate": ratio(len(people & set(c.registered)), len(c.registered)),
                "comments_per_idea": ratio(len(comments), len(ideas)),
                "votes_per_idea": ratio(len(votes), len(ideas)),
                "without_response_rate": ratio(silent, len(ideas)),
                "undated": sum(act.at is None for act in acts if act.kind != "joint"),
                "last_contribution_at": max((act.at for act in acts if act.at), default=None),
            }
        )
    return rows


def challenge_votes(c: Community) -> list[Row]:
    of: dict[tuple[str, str], list[Act]] = defaultdict(list)
    for act in c.acts:
        if act.kind == "vote" and act.there:
            of[act.idea["challenge_id"], act.row["voting_type"] or "unknown"].append(act)
    rows = []
    for (challenge, voting_type), acts in of.items():
        values = [act.row["value"] for act in acts if act.row["value"] is not None]
        rows.append(
            {
                "challenge_id": challenge,
                "voting_type": voting_type,
                "votes": len(acts),
                "voters": len(persons(acts)),
                "ideas": len({act.idea["id"] for act in acts}),
                "votes_against": sum(value < 0 for value in values),
                "value_sum": sum(values) if values else None,
                "value_average": ratio(sum(values), len(values)),
            }
        )
    return rows
