"""Stages, and the stays of ideas in them."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from ideas_pipeline_tests.marts.second_reading.arithmetic import between, nearest_rank, ratio
from ideas_pipeline_tests.marts.second_reading.community import Community, Row

Stage = tuple[str, str]
"""The id of a challenge, and that of one of its stages."""


def funnel(c: Community) -> list[Row]:
    rows = []
    for challenge in staged(c):
        stages = stages_of(c, challenge)
        place_of = {id_: place for id_, _, place in stages}
        visits: dict[str, list[Row]] = {}
        for idea, stays in c.stays.items():
            if there := [stay for stay in stays if stay["challenge_id"] == challenge]:
                visits[idea] = there
        furthest = {
            idea: max((place_of[stay["value"]] or 0 for stay in there), default=0) for idea, there in visits.items()
        }
        reached_by = {place: sum(far >= place for far in furthest.values()) for place in place_of.values() if place}
        for id_, row, place in stages:
            stage = (challenge, id_)
            entered = {idea for idea, there in visits.items() if any(stay["value"] == id_ for stay in there)}
            unseen, skipped = 0, 0
            for idea, far in furthest.items():
                if place and far >= place and idea not in entered:
                    first = visits[idea][0]
                    began_past = first["is_left_censored"] and (place_of[first["value"]] or 0) > place
                    unseen, skipped = unseen + began_past, skipped + (not began_past)
            reached = reached_by[place] if place else None
            following = reached_by.get(place + 1) if place else None
            rows.append(
                {
                    "challenge_id": challenge,
                    "stage_id": id_,
                    "place": place,
                    "name": name_of(c, stage, row),
                    "kind": row and row["kind"],
                    "ideas": len(visits),
                    "reached": reached,
                    "entered": len(entered),
                    "skipped": skipped if place else None,
                    "not_observed": unseen if place else None,
                    "re_entered": sum(came_back(c, idea, stage) for idea in entered),
                    "currently_in": len(now_in(c, stage)),
                    "next_reached": following,
                    "conversion": None if following is None or not reached else following / reached,
                    "reached_rate": None if reached is None else ratio(reached, len(visits)),
                }
            )
    return rows


def came_back(c: Community, idea: str, stage: Stage) -> bool:
    stages = [stage_of(stay) for stay in c.stays[idea]]
    return any(
        there == stage and before != stage and stage in stages[:n]
        for n, (before, there) in enumerate(pairwise(stages), 1)
    )


def stage_times(c: Community) -> list[Row]:
    rows = []
    for challenge in staged(c):
        for id_, row, _ in stages_of(c, challenge):
            stage = (challenge, id_)
            stays = stays_in(c, stage)
            spent = [
                sum(between(s["observed_from"], s["observed_to"] or c.as_of) or 0 for s in of) for of in stays.values()
            ]
            ages = [stage_age(c, idea) for idea in now_in(c, stage)]
            known = [age for age in ages if age is not None]
            rows.append(
                {
                    "challenge_id": challenge,
                    "stage_id": id_,
                    "name": name_of(c, stage, row),
                    "ideas": len(stays),
                    "began_unseen": sum(of[0]["is_left_censored"] for of in stays.values()),
                    "median_seconds": nearest_rank(spent, 50),
                    "p90_seconds": nearest_rank(spent, 90),
                    "still_in": len(ages),
                    "median_age_seconds": nearest_rank(known, 50),
                    "oldest_age_seconds": max(known, default=None),
                }
            )
    return rows


def stage_since(c: Community, idea: Row) -> datetime | None:
    for stay in c.stays.get(idea["id"], ()):
        if stay["observed_to"] is None and stage_of(stay) == (idea["challenge_id"], idea["stage_id"]):
            since: datetime = stay["observed_from"]
            return since
    return None


def stage_age(c: Community, idea: Row) -> int | None:
    return between(stage_since(c, idea), c.as_of)


def staged(c: Community) -> list[str]:
    """The challenges that exist and have stages: by their own rows, or by those of ideas."""
    deleted = {row["id"] for row in c.all["challenges"] if row["_deleted_at"]}
    with_stages = (
        {row["challenge_id"] for row in c.live["challenge_stages"]}
        | {row["challenge_id"] for rows in c.stays.values() for row in rows}
        | {idea["challenge_id"] for idea in c.ideas.values() if idea["stage_id"]}
    )
    return sorted(with_stages - deleted)


def stages_of(c: Community, challenge: str) -> list[tuple[str, Row | None, int | None]]:
    """A challenge's stages: id, row and place.

    Stages that the source removed are among them if an idea was ever seen there. A stage has no place if it has no
    position, or if the source never described it.
    """
    seen = {row["value"] for rows in c.stays.values() for row in rows if row["challenge_id"] == challenge}
    seen |= {idea["stage_id"] for idea in c.ideas_of(challenge) if idea["stage_id"]}
    rows = {row["id"]: row for row in c.all["challenge_stages"] if row["challenge_id"] == challenge}
    shown = [row for row in rows.values() if row["_deleted_at"] is None or row["id"] in seen]
    placed = sorted(
        (row for row in shown if row["position"] is not None),
        key=lambda row: (row["position"], row["_deleted_at"] is None, row["id"]),
    )
    places = {row["id"]: place for place, row in enumerate(placed, 1)}
    ids = [row["id"] for row in shown] + sorted(seen - set(rows))
    return [(id_, rows.get(id_), places.get(id_)) for id_ in ids]


def stage_of(stay: Row) -> Stage:
    return stay["challenge_id"], stay["value"]


def stays_in(c: Community, stage: Stage) -> dict[str, list[Row]]:
    return {idea: there for idea, rows in c.stays.items() if (there := [row for row in rows if stage_of(row) == stage])}


def now_in(c: Community, stage: Stage) -> list[Row]:
    return [idea for idea in c.ideas.values() if (idea["challenge_id"], idea["stage_id"]) == stage]


def name_of(c: Community, stage: Stage, row: Row | None) -> str | None:
    """The stage's name, or the last that it was seen with."""
    if row:
        return row["name"]
    seen = [stay for stays in stays_in(c, stage).values() for stay in stays]
    seen.sort(key=lambda stay: (stay["observed_from"], stay["name"] or ""))
    return seen[-1]["name"] if seen else None
