"""Expected marts of days and people, computed from the facts as the marts' comments define them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import pandas as pd

from ideas_pipeline_tests.marts.facts import OUT, Facts, day_of, moment

Rows = list[dict[str, Any]]


def daily_activity(f: Facts) -> Rows:
    acts = f.acts[f.acts.day.notna()]
    if acts.empty:
        return []
    named = acts[acts.person.notna()]
    first_day = named.groupby("person").day.min()
    by_day = dict(iter(acts.groupby("day")))
    people = {day: set(of_day.person) for day, of_day in named.groupby("day")}
    joined = {key: moment(row.get("joined_at")) for key, row in f.registered.items()}
    # Whoever contributed was there by then, also who joined again later.
    joined_days = [
        min(day_of(at, f.zone), first_day.get(key, date.max)) if at else date.min for key, at in joined.items()
    ]
    rows = []
    for day in (at.date() for at in pd.date_range(acts.day.min(), acts.day.max())):
        kinds = by_day[day].kind.value_counts() if day in by_day else {}
        lately = [people.get(day - timedelta(days=ago), set()) for ago in range(28)]
        rows.append(
            {
                "day": day,
                "ideas": kinds.get("idea", 0),
                "comments": kinds.get("comment", 0),
                "votes": kinds.get("vote", 0),
                "contributors": len(people.get(day, ())),
                "new_contributors": int((first_day == day).sum()),
                "active_28d": len(set().union(*lately)),
                "registered": (registered := sum(on <= day for on in joined_days)),
                "registered_active_28d": (there := len(set().union(*lately) & f.registered.keys())),
                "participation_rate": there / registered if registered else None,
            }
        )
    return rows


@lru_cache(maxsize=1)  # two others are made of it
def contributors(f: Facts) -> Rows:
    named = dict(iter(f.acts[f.acts.person.notna()].groupby("person")))
    visits = {key: row.get("last_seen_at") is not None for key, row in f.people.items() if row.get("status") not in OUT}
    rows = []
    for person in named.keys() | f.registered.keys():
        acts = named.get(person, f.acts[:0])
        kinds = acts.kind.value_counts()
        wrote, reacted = {"idea", "joint_idea"} & set(acts.kind), {"comment", "vote"} & set(acts.kind)
        if wrote or reacted:
            level = "all_rounder" if wrote and reacted else "generator" if wrote else "feedbacker"
        else:
            level = "viewer" if visits[person] else "idle" if any(visits.values()) else "inactive"
        rows.append(
            {
                "user_id": person,
                "is_registered": person in f.registered,
                "ideas": kinds.get("idea", 0),
                "joint_ideas": kinds.get("joint_idea", 0),
                "comments": kinds.get("comment", 0),
                "votes": kinds.get("vote", 0),
                "contributions": len(acts),
                "active_days": acts.day.nunique(),
                "first_contribution_at": min(acts["at"].dropna(), default=None),
                "last_contribution_at": max(acts["at"].dropna(), default=None),
                "engagement_level": level,
                "rank": None,
            }
        )
    active = [row for row in rows if row["contributions"]]
    never = datetime.max.replace(tzinfo=UTC)
    active.sort(key=lambda row: (-row["contributions"], row["first_contribution_at"] or never, row["user_id"]))
    for number, row in enumerate(active, start=1):
        row["rank"] = number
    return rows


def engagement(f: Facts) -> Rows:
    levels = pd.Series([row["engagement_level"] for row in contributors(f)], dtype=object)
    return [
        {"engagement_level": level, "people": people, "of_people": len(levels), "share": people / len(levels)}
        for level, people in levels.value_counts().items()
    ]


def concentration(f: Facts) -> Rows:
    ranked = sorted((row["contributions"] for row in contributors(f) if row["contributions"]), reverse=True)
    rows = []
    for percent in (1, 5, 10, 25, 50, 100) if ranked else ():
        top = ranked[: math.ceil(len(ranked) * percent / 100)]
        rows.append(
            {
                "top_percent": percent,
                "people": len(top),
                "of_people": len(ranked),
                "contributions": sum(top),
                "of_contributions": sum(ranked),
                "share": sum(top) / sum(ranked),
            }
        )
    return rows


def cohorts(f: Facts) -> Rows:
    dated = f.acts[f.acts.day.notna()]
    if dated.person.isna().all():
        return []
    months = dated.assign(month=[pd.Period(day, "M") for day in dated.day])
    last = max(months.month)
    named = months[months.person.notna()]
    began = named.groupby("person").month.min()
    active = named.groupby("month").person.agg(set)
    rows = []
    for cohort, members in began.groupby(began):
        for month in pd.period_range(cohort, last, freq="M"):
            back = len(set(members.index) & active.get(month, set()))
            rows.append(
                {
                    "cohort_month": cohort.start_time.date(),
                    "months_later": (month - cohort).n,
                    "month": month.start_time.date(),
                    "cohort_size": len(members),
                    "active": back,
                    "retention": back / len(members),
                }
            )
    return rows


def people(f: Facts) -> Rows:
    by_status: dict[str, list[Any]] = {}
    for row in f.witness.now["users"].values():
        by_status.setdefault(row.get("status") or "unknown", []).append(row.get("role"))
    return [
        {"status": status, "people": len(roles), "admins": roles.count("admin")} for status, roles in by_status.items()
    ]
