"""Expected marts of challenges and ideas, computed from the facts as the marts' comments define them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pandas as pd

from ideas_pipeline_tests.marts.facts import Facts, Stay, moment

Rows = list[dict[str, Any]]


def seconds(since: datetime | None, to: datetime | None) -> int | None:
    """Whole seconds between two moments, each truncated to a second; None if unknown or out of order."""
    if since is None or to is None or to < since:
        return None
    return int((to.replace(microsecond=0) - since.replace(microsecond=0)).total_seconds())


def percentile(values: Iterable[int | None], percent: int) -> int | None:
    """Percentile of the known values by nearest rank."""
    ordered = sorted(value for value in values if value is not None)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else None


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def by_challenge(f: Facts) -> Iterator[tuple[str, list[str], pd.DataFrame]]:
    """Each current challenge with its ideas and the acts on them."""
    acts = dict(iter(f.acts.groupby("challenge")))
    for challenge in f.witness.now["challenges"]:
        ideas = [key for key, row in f.ideas.items() if row["challenge_id"] == challenge]
        yield challenge, ideas, acts.get(challenge, f.acts[:0])


def challenges(f: Facts) -> Rows:
    rows = []
    for key, ideas, acts in by_challenge(f):
        row = f.witness.now["challenges"][key]
        there = acts[acts.there.astype(bool)]
        comments, votes = there[there.kind == "comment"], there[there.kind == "vote"]
        contributors = set(acts.person.dropna())
        registered_contributors = len(contributors & f.registered.keys())
        answered = set(comments.idea) | set(votes.idea)
        without = sum(idea not in answered for idea in ideas)
        rows.append(
            {
                "challenge_id": key,
                "title": row["title"],
                "type": row["type"],
                "starts_at": moment(row["starts_at"]),
                "deadline_at": moment(row["deadline_at"]),
                "ideas": len(ideas),
                "joint_ideas": acts[acts.kind == "joint_idea"].idea.nunique(),
                "idea_authors": len(set().union(*(f.authors[idea] for idea in ideas))),
                "comments": len(comments),
                "ideas_commented": comments.idea.nunique(),
                "votes": len(votes),
                "voters": votes.person.nunique(),
                "ideas_voted": votes.idea.nunique(),
                "ideas_without_response": without,
                "cleared": len(acts) - len(there),
                "contributors": len(contributors),
                "registered_contributors": registered_contributors,
                "registered": len(f.registered),
                "participation_rate": ratio(registered_contributors, len(f.registered)),
                "comments_per_idea": ratio(len(comments), len(ideas)),
                "votes_per_idea": ratio(len(votes), len(ideas)),
                "without_response_rate": ratio(without, len(ideas)),
                "undated": int((acts["at"].isna() & (acts.kind != "joint_idea")).sum()),
                "last_contribution_at": max(acts["at"].dropna(), default=None),
            }
        )
    return rows


def challenge_votes(f: Facts) -> Rows:
    votes = f.acts[(f.acts.kind == "vote") & f.acts.there.astype(bool)]
    rows = []
    for (challenge, voting_type), given in votes.fillna({"type": "unknown"}).groupby(["challenge", "type"]):
        values = [float(value) for value in given.value.dropna()]
        rows.append(
            {
                "challenge_id": challenge,
                "voting_type": voting_type,
                "votes": len(given),
                "voters": given.person.nunique(),
                "ideas": given.idea.nunique(),
                "votes_against": sum(value < 0 for value in values),
                "value_sum": math.fsum(values) if values else None,
                "value_average": ratio(math.fsum(values), len(values)),
            }
        )
    return rows


def funnel(f: Facts) -> Rows:
    rows = []
    for challenge, stages in f.stages.items():
        place = {row["id"]: number for number, row in enumerate(stages, start=1)}
        seen: dict[str, list[Stay]] = {}
        for stay in f.stays:
            if stay.challenge == challenge and stay.stage in place:
                seen.setdefault(stay.idea, []).append(stay)
        reached_by_place = [
            {idea for idea, stays in seen.items() if max(place[s.stage] for s in stays) >= n} for n in place.values()
        ]
        for number, row in enumerate(stages, start=1):
            reached = reached_by_place[number - 1]
            entered = {idea for idea in seen if any(s.stage == row["id"] for s in seen[idea])}
            past_when_first_seen = {
                idea for idea in reached - entered if seen[idea][0].first and place[seen[idea][0].stage] > number
            }
            came_back = {idea for idea in entered if _came_back(seen[idea], row["id"])}
            following = len(reached_by_place[number]) if number < len(stages) else None
            here = (challenge, row["id"])
            rows.append(
                {
                    "challenge_id": challenge,
                    "stage_id": row["id"],
                    "place": number,
                    "name": row["name"],
                    "kind": row["kind"],
                    "ideas": len(seen),
                    "reached": len(reached),
                    "entered": len(entered),
                    "skipped": len(reached - entered - past_when_first_seen),
                    "not_observed": len(past_when_first_seen),
                    "re_entered": len(came_back),
                    "currently_in": sum((i["challenge_id"], i["stage_id"]) == here for i in f.ideas.values()),
                    "next_reached": following,
                    "conversion": ratio(following, len(reached)) if following is not None else None,
                    "reached_rate": ratio(len(reached), len(seen)),
                }
            )
    return rows


def _came_back(stays: list[Stay], stage: str) -> bool:
    """Whether an idea returned to the stage from another one; being invisible meanwhile does not count."""
    again = [stay for stay in stays if stay.stage == stage][1:]
    return any(stay.comes_from != (stay.challenge, stage) for stay in again)


def stage_times(f: Facts) -> Rows:
    rows = []
    for challenge, stages in f.stages.items():
        for row in stages:
            stays: dict[str, list[Stay]] = {}
            for stay in f.stays:
                if (stay.challenge, stay.stage) == (challenge, row["id"]):
                    stays.setdefault(stay.idea, []).append(stay)
            times = [sum(seconds(s.since, s.to or f.as_of) or 0 for s in of_idea) for of_idea in stays.values()]
            entered = [s.since for of_idea in stays.values() for s in of_idea if s.to is None]
            ages = [seconds(since, f.as_of) or 0 for since in entered]
            rows.append(
                {
                    "challenge_id": challenge,
                    "stage_id": row["id"],
                    "name": row["name"],
                    "ideas": len(stays),
                    "began_unseen": sum(of_idea[0].first for of_idea in stays.values()),
                    "median_seconds": percentile(times, 50),
                    "p90_seconds": percentile(times, 90),
                    "still_in": len(ages),
                    "median_age_seconds": percentile(ages, 50),
                    "oldest_age_seconds": max(ages, default=None),
                }
            )
    return rows


def _responses(f: Facts) -> dict[str, pd.DataFrame]:
    """The comments by people other than the authors, by idea."""
    others = f.acts[(f.acts.kind == "comment") & ~f.acts.by_author.astype(bool)]
    return dict(iter(others.groupby("idea")))


def idea_lifecycle(f: Facts) -> Rows:
    admins = {key for key, row in f.people.items() if row.get("role") == "admin"}
    responses = _responses(f)
    votes = f.acts[(f.acts.kind == "vote") & f.acts.there.astype(bool)].idea.value_counts()
    labelled = _labelled(f)
    rows = []
    for key, idea in f.ideas.items():
        answers = responses.get(key, f.acts[:0])
        times = answers["at"].dropna()
        first = min(times, default=None)
        first_by_admin = min(times[answers.person.isin(admins)], default=None)
        since = next((stay.since for stay in f.stays if stay.idea == key and stay.to is None), None)
        adopted = labelled.get(("adopted", key))
        rows.append(
            {
                "idea_id": key,
                "challenge_id": idea["challenge_id"],
                "stage_id": idea["stage_id"],
                "submitted_at": idea["created"],
                "published_at": moment(idea["published_at"]),
                "age_seconds": seconds(idea["created"], f.as_of),
                "stage_since": since,
                "stage_age_seconds": seconds(since, f.as_of),
                "responses": len(answers),
                "first_response_at": first,
                "seconds_to_first_response": seconds(idea["created"], first),
                "seconds_to_first_admin_response": seconds(idea["created"], first_by_admin),
                "votes": votes.get(key, 0),
                "is_adopted": adopted is not None if f.classes else None,
                "adopted_at": adopted,
            }
        )
    return rows


def _labelled(f: Facts) -> dict[tuple[str, str], datetime]:
    """When a label of each class was first seen on each idea."""
    found: dict[tuple[str, str], datetime] = {}
    for look in f.witness.looks:
        for part in look.tables["idea_labels"].values():
            key = (f.classes.get(part["label_id"], ""), part["idea_id"])
            if key[0] and key[1] in f.ideas and key not in found:
                found[key] = f.witness.observed(part["idea_id"], look)
    return found


def response_times(f: Facts) -> Rows:
    responses = _responses(f)
    rows = []
    for challenge, ideas, _ in by_challenge(f):
        answered = [idea for idea in ideas if idea in responses]
        times = [
            seconds(f.ideas[idea]["created"], min(responses[idea]["at"].dropna(), default=None)) for idea in answered
        ]
        rows.append(
            {
                "challenge_id": challenge,
                "ideas": len(ideas),
                "answered": len(answered),
                "answered_rate": ratio(len(answered), len(ideas)),
                "median_seconds": percentile(times, 50),
                "p90_seconds": percentile(times, 90),
            }
        )
    return [row for row in rows if row["ideas"]]


def adoption(f: Facts) -> Rows:
    labelled = _labelled(f)
    now = {(f.classes.get(p["label_id"]), p["idea_id"]) for p in f.witness.now["idea_labels"].values()}
    return [
        {
            "challenge_id": challenge,
            "class": name,
            "ideas": len(ideas),
            "ideas_ever": (ever := sum((name, idea) in labelled for idea in ideas)),
            "ideas_now": sum((name, idea) in now for idea in ideas),
            "rate": ratio(ever, len(ideas)),
        }
        for challenge, ideas, _ in by_challenge(f)
        for name in sorted(set(f.classes.values()))
        if ideas
    ]
