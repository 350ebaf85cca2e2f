"""Days, and months since the first contribution."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from ideas_pipeline_tests.marts.second_reading.arithmetic import ratio
from ideas_pipeline_tests.marts.second_reading.community import Act, Community, Row, persons


def daily_activity(c: Community) -> list[Row]:
    days: dict[date, list[Act]] = defaultdict(list)
    for act in c.acts:
        if act.at:
            days[c.day(act.at)].append(act)
    if not days:
        return []
    rows, seen = [], set[str]()
    day, last = min(days), max(days)
    while day <= last:
        acts = days.get(day, [])
        people = persons(acts)
        window = persons(act for n in range(28) if (then := day - timedelta(n)) in days for act in days[then])
        new = people - seen
        seen |= people
        registered = {
            key
            for key, row in c.registered.items()
            if not (joined := c.time(row["joined_at"])) or c.day(joined) <= day or key in seen
        }
        active = window & set(c.registered)
        rows.append(
            {
                "day": day,
                "ideas": sum(act.kind == "idea" for act in acts),
                "comments": sum(act.kind == "comment" for act in acts),
                "votes": sum(act.kind == "vote" for act in acts),
                "contributors": len(people),
                "new_contributors": len(new),
                "active_28d": len(window),
                "registered": len(registered),
                "registered_active_28d": len(active),
                "participation_rate": ratio(len(active), len(registered)),
            }
        )
        day += timedelta(1)
    return rows


def cohorts(c: Community) -> list[Row]:
    months: dict[str, set[date]] = defaultdict(set)
    for act in c.acts:
        if act.person and act.at:
            months[act.person].add(c.month(act.at))
    # Of the community: also contributions without a person.
    last = max((c.month(act.at) for act in c.acts if act.at), default=None)
    by_first: dict[date, list[set[date]]] = defaultdict(list)
    for of_person in months.values():
        by_first[min(of_person)].append(of_person)
    rows = []
    for first, people in by_first.items():
        month, later = first, 0
        while last and month <= last:
            active = sum(month in of_person for of_person in people)
            rows.append(
                {
                    "cohort_month": first,
                    "months_later": later,
                    "month": month,
                    "cohort_size": len(people),
                    "active": active,
                    "retention": ratio(active, len(people)),
                }
            )
            month, later = (month + timedelta(32)).replace(day=1), later + 1
    return rows


def retention(c: Community) -> list[tuple[int, int, int]]:
    """By number of months after the first contribution: the people for whom that month is over, and the active."""
    months: dict[str, set[int]] = defaultdict(set)
    for act in c.acts:
        if act.person and act.at:
            day = c.day(act.at)
            months[act.person].add(day.year * 12 + day.month)
    today = c.day(c.as_of)
    now = today.year * 12 + today.month
    found: dict[int, list[bool]] = defaultdict(list)
    for of_person in months.values():
        for month in range(min(of_person), now):
            found[month - min(of_person)].append(month in of_person)
    return [(later, len(active), sum(active)) for later, active in sorted(found.items())]
