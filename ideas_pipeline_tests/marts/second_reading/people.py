"""Contributions per person, and how they are spread."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ideas_pipeline_tests.marts.second_reading.arithmetic import ratio
from ideas_pipeline_tests.marts.second_reading.community import Act, Community, Row

TOP_PERCENTS = (1, 5, 10, 25, 50, 100)


def contributors(c: Community) -> list[Row]:
    of: dict[str, list[Act]] = {person: [] for person in c.registered}
    for act in c.acts:
        if act.person:
            of.setdefault(act.person, []).append(act)
    seen = {row["id"] for row in c.all["users"] if c.time(row["last_seen_at"])}
    rows = []
    for person, acts in of.items():
        kinds = [act.kind for act in acts]
        times = [act.at for act in acts if act.at]
        ideas, reactions = kinds.count("idea") + kinds.count("joint"), kinds.count("comment") + kinds.count("vote")
        if acts:
            level = "all_rounder" if ideas and reactions else "generator" if ideas else "feedbacker"
        else:
            level = "viewer" if person in seen else "idle" if seen else "inactive"
        rows.append(
            {
                "user_id": person,
                "is_registered": person in c.registered,
                "ideas": kinds.count("idea"),
                "joint_ideas": kinds.count("joint"),
                "comments": kinds.count("comment"),
                "votes": kinds.count("vote"),
                "contributions": len(acts),
                "active_days": len({c.day(at) for at in times}),
                "first_contribution_at": min(times, default=None),
                "last_contribution_at": max(times, default=None),
                "engagement_level": level,
                "rank": None,
            }
        )
    for rank, row in enumerate(ranking(rows), 1):
        row["rank"] = rank
    return rows


def ranking(rows: list[Row]) -> list[Row]:
    def place(row: Row) -> tuple[Any, ...]:
        first = row["first_contribution_at"]
        return -row["contributions"], first is None, first and first.timestamp(), row["user_id"]

    return sorted((row for row in rows if row["contributions"]), key=place)


def engagement(c: Community) -> list[Row]:
    levels: dict[str, int] = defaultdict(int)
    rows = contributors(c)
    for row in rows:
        levels[row["engagement_level"]] += 1
    return [
        {"engagement_level": level, "people": n, "of_people": len(rows), "share": ratio(n, len(rows))}
        for level, n in levels.items()
    ]


def concentration(c: Community) -> list[Row]:
    ranked = [row["contributions"] for row in ranking(contributors(c))]
    if not ranked:
        return []
    tops = {percent: -(-len(ranked) * percent // 100) for percent in TOP_PERCENTS}
    return [
        {
            "top_percent": percent,
            "people": people,
            "of_people": len(ranked),
            "contributions": sum(ranked[:people]),
            "of_contributions": sum(ranked),
            "share": ratio(sum(ranked[:people]), sum(ranked)),
        }
        for percent, people in tops.items()
    ]


def people(c: Community) -> list[Row]:
    of: dict[str, list[Row]] = defaultdict(list)
    for row in c.live["users"]:
        of[row["status"] or "unknown"].append(row)
    return [
        {"status": status, "people": len(rows), "admins": sum(row["role"] == "admin" for row in rows)}
        for status, rows in of.items()
    ]
