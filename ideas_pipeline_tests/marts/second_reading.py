"""The marts' figures, computed a second time from the tables' rows, by the definitions in docs/warehouse.md alone.

Plain loops over plain rows, and nothing shared with ``marts/`` or with ``expected_*.py``: an assumption that those two
have in common shows here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Place = tuple[str, str]
"""A challenge and one of its stages."""

TOP_PERCENTS = (1, 5, 10, 25, 50, 100)


@dataclass(frozen=True)
class Act:
    """A contribution. ``person`` and ``at`` are None if unknown; ``there``: not cleared by the start of a stage."""

    kind: str
    idea: Row
    person: str | None
    at: datetime | None
    there: bool
    row: Row


class SecondReading:
    """The marts of one community.

    Args:
        tables: All rows of the community in each table, deleted ones included, with times in UTC.
        as_of: Now.
        timezone: The zone of days and months.
    """

    def __init__(self, tables: dict[str, list[Row]], as_of: datetime, timezone: str) -> None:
        self.all = tables
        self.as_of = as_of
        self.zone = ZoneInfo(timezone)
        self.live = {
            name: [row for row in rows if row.get("_deleted_at") is None] for name, rows in tables.items()
        }  # history and label classes are never deleted

    def marts(self) -> dict[str, list[Row]]:
        return {
            "mart_daily_activity": self.daily_activity(),
            "mart_challenges": self.challenges(),
            "mart_challenge_votes": self.challenge_votes(),
            "mart_funnel": self.funnel(),
            "mart_stage_times": self.stage_times(),
            "mart_idea_lifecycle": self.idea_lifecycle(),
            "mart_response_times": self.response_times(),
            "mart_adoption": self.adoption(),
            "mart_contributors": self.contributors(),
            "mart_engagement": self.engagement(),
            "mart_concentration": self.concentration(),
            "mart_cohorts": self.cohorts(),
            "mart_moderation": self.moderation(),
            "mart_people": self.people(),
        }

    # What all marts count.

    @cached_property
    def banned(self) -> set[str]:
        """Banned or removed people, as last seen."""
        return {row["id"] for row in self.all["users"] if row["status"] in ("banned", "removed")}

    @cached_property
    def registered(self) -> dict[str, Row]:
        nobody = ("banned", "removed", "deleted", "invited", "erased")
        return {row["id"]: row for row in self.live["users"] if row["status"] not in nobody}

    @cached_property
    def ideas(self) -> dict[str, Row]:
        return {
            row["id"]: row
            for row in self.live["ideas"]
            if row["moderation_status"] != "removed" and row["author_id"] not in self.banned
        }

    @cached_property
    def coauthors(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.live["idea_coauthors"]:
            idea = self.ideas.get(row["idea_id"])
            if idea and row["user_id"] not in self.banned and row["user_id"] != idea["author_id"]:
                found[row["idea_id"]].add(row["user_id"])
        return found

    def authors(self, idea: Row) -> set[str]:
        return {person for person in (idea["author_id"], *self.coauthors.get(idea["id"], ())) if person}

    @cached_property
    def acts(self) -> list[Act]:
        acts = []
        for idea in self.ideas.values():
            at = self.time(idea["created_at"])
            acts.append(Act("idea", idea, idea["author_id"], at, True, idea))
            acts += [Act("joint", idea, who, at, True, idea) for who in sorted(self.coauthors.get(idea["id"], ()))]
        for table, kind, by in (("comments", "comment", "author_id"), ("votes", "vote", "user_id")):
            for row in self.all[table]:
                cleared = row["_deleted_because"] == "cleared" or row.get("status") == "cleared"
                if row["_deleted_at"] and row["_deleted_because"] != "cleared":
                    continue
                if row["idea_id"] not in self.ideas or row[by] in self.banned or row.get("status") == "removed":
                    continue
                at = self.time(row["created_at"])
                acts.append(Act(kind, self.ideas[row["idea_id"]], row[by], at, not cleared, row))
        return acts

    def time(self, at: datetime | None) -> datetime | None:
        """The moment, or None if it cannot be true: before 1995, or more than a day after now."""
        return at if at and datetime(1995, 1, 1, tzinfo=UTC) <= at < self.as_of + timedelta(1) else None

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def month(self, at: datetime) -> date:
        return self.day(at).replace(day=1)

    def of_challenge(self, challenge: str) -> list[Act]:
        return [act for act in self.acts if act.idea["challenge_id"] == challenge]

    def ideas_of(self, challenge: str) -> list[Row]:
        return [idea for idea in self.ideas.values() if idea["challenge_id"] == challenge]

    @property
    def with_ideas(self) -> set[str]:
        return {idea["challenge_id"] for idea in self.ideas.values()}

    # People.

    @cached_property
    def days(self) -> dict[date, list[Act]]:
        found: dict[date, list[Act]] = defaultdict(list)
        for act in self.acts:
            if act.at:
                found[self.day(act.at)].append(act)
        return found

    def persons(self, acts: Iterable[Act]) -> set[str]:
        return {act.person for act in acts if act.person}

    def daily_activity(self) -> list[Row]:
        if not self.days:
            return []
        rows, seen = [], set[str]()
        day, last = min(self.days), max(self.days)
        while day <= last:
            acts = self.days.get(day, [])
            people = self.persons(acts)
            window = self.persons(
                act for n in range(28) if (then := day - timedelta(n)) in self.days for act in self.days[then]
            )
            new = people - seen
            seen |= people
            registered = {
                key
                for key, row in self.registered.items()
                if not (joined := self.time(row["joined_at"])) or self.day(joined) <= day or key in seen
            }
            active = window & set(self.registered)
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

    def contributors(self) -> list[Row]:
        of: dict[str, list[Act]] = {person: [] for person in self.registered}
        for act in self.acts:
            if act.person:
                of.setdefault(act.person, []).append(act)
        seen = {row["id"] for row in self.all["users"] if self.time(row["last_seen_at"])}
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
                    "is_registered": person in self.registered,
                    "ideas": kinds.count("idea"),
                    "joint_ideas": kinds.count("joint"),
                    "comments": kinds.count("comment"),
                    "votes": kinds.count("vote"),
                    "contributions": len(acts),
                    "active_days": len({self.day(at) for at in times}),
                    "first_contribution_at": min(times, default=None),
                    "last_contribution_at": max(times, default=None),
                    "engagement_level": level,
                    "rank": None,
                }
            )
        for rank, row in enumerate(self.ranked(rows), 1):
            row["rank"] = rank
        return rows

    def ranked(self, rows: list[Row]) -> list[Row]:
        def place(row: Row) -> tuple[Any, ...]:
            first = row["first_contribution_at"]
            return -row["contributions"], first is None, first and first.timestamp(), row["user_id"]

        return sorted((row for row in rows if row["contributions"]), key=place)

    def engagement(self) -> list[Row]:
        levels: dict[str, int] = defaultdict(int)
        rows = self.contributors()
        for row in rows:
            levels[row["engagement_level"]] += 1
        return [
            {"engagement_level": level, "people": n, "of_people": len(rows), "share": ratio(n, len(rows))}
            for level, n in levels.items()
        ]

    def concentration(self) -> list[Row]:
        ranked = [row["contributions"] for row in self.ranked(self.contributors())]
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

    def cohorts(self) -> list[Row]:
        months: dict[str, set[date]] = defaultdict(set)
        for act in self.acts:
            if act.person and act.at:
                months[act.person].add(self.month(act.at))
        # Of the community: also contributions without a person.
        last = max((self.month(act.at) for act in self.acts if act.at), default=None)
        cohorts: dict[date, list[set[date]]] = defaultdict(list)
        for of_person in months.values():
            cohorts[min(of_person)].append(of_person)
        rows = []
        for first, people in cohorts.items():
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

    def retention(self) -> list[tuple[int, int, int]]:
        """By number of months after the first contribution: the people for whom that month is over, and the active."""
        months: dict[str, set[int]] = defaultdict(set)
        for act in self.acts:
            if act.person and act.at:
                day = self.day(act.at)
                months[act.person].add(day.year * 12 + day.month)
        today = self.day(self.as_of)
        now = today.year * 12 + today.month
        found: dict[int, list[bool]] = defaultdict(list)
        for of_person in months.values():
            for month in range(min(of_person), now):
                found[month - min(of_person)].append(month in of_person)
        return [(later, len(active), sum(active)) for later, active in sorted(found.items())]

    def people(self) -> list[Row]:
        of: dict[str, list[Row]] = defaultdict(list)
        for row in self.live["users"]:
            of[row["status"] or "unknown"].append(row)
        return [
            {"status": status, "people": len(rows), "admins": sum(row["role"] == "admin" for row in rows)}
            for status, rows in of.items()
        ]

    # Challenges.

    def challenges(self) -> list[Row]:
        rows = []
        for challenge in self.live["challenges"]:
            ideas, acts = self.ideas_of(challenge["id"]), self.of_challenge(challenge["id"])
            comments = [act for act in acts if act.kind == "comment" and act.there]
            votes = [act for act in acts if act.kind == "vote" and act.there]
            commented, voted = ({act.idea["id"] for act in of} for of in (comments, votes))
            silent = len({idea["id"] for idea in ideas} - commented - voted)
            people = self.persons(acts)
            rows.append(
                {
                    "challenge_id": challenge["id"],
                    "title": challenge["title"],
                    "type": challenge["type"],
                    "starts_at": challenge["starts_at"],
                    "deadline_at": challenge["deadline_at"],
                    "ideas": len(ideas),
                    "joint_ideas": sum(bool(self.coauthors.get(idea["id"])) for idea in ideas),
                    "idea_authors": len(self.persons(act for act in acts if act.kind in ("idea", "joint"))),
                    "comments": len(comments),
                    "ideas_commented": len(commented),
                    "votes": len(votes),
                    "voters": len(self.persons(votes)),
                    "ideas_voted": len(voted),
                    "ideas_without_response": silent,
                    "cleared": sum(not act.there for act in acts),
                    "contributors": len(people),
                    "registered_contributors": len(people & set(self.registered)),
                    "registered": len(self.registered),
                    "participation_rate": ratio(len(people & set(self.registered)), len(self.registered)),
                    "comments_per_idea": ratio(len(comments), len(ideas)),
                    "votes_per_idea": ratio(len(votes), len(ideas)),
                    "without_response_rate": ratio(silent, len(ideas)),
                    "undated": sum(act.at is None for act in acts if act.kind != "joint"),
                    "last_contribution_at": max((act.at for act in acts if act.at), default=None),
                }
            )
        return rows

    def challenge_votes(self) -> list[Row]:
        of: dict[Place, list[Act]] = defaultdict(list)
        for act in self.acts:
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
                    "voters": len(self.persons(acts)),
                    "ideas": len({act.idea["id"] for act in acts}),
                    "votes_against": sum(value < 0 for value in values),
                    "value_sum": sum(values) if values else None,
                    "value_average": ratio(sum(values), len(values)),
                }
            )
        return rows

    # Stages.

    @cached_property
    def stays(self) -> dict[str, list[Row]]:
        """Each counted idea's stays in stages, in time."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.all["idea_history"]:
            if row["attribute"] == "stage" and row["idea_id"] in self.ideas:
                found[row["idea_id"]].append(row)
        for rows in found.values():
            rows.sort(key=lambda row: row["observed_from"])
        return found

    def stays_in(self, place: Place) -> dict[str, list[Row]]:
        return {
            idea: there
            for idea, rows in self.stays.items()
            if (there := [row for row in rows if (row["challenge_id"], row["value"]) == place])
        }

    def now_in(self, place: Place) -> list[Row]:
        return [idea for idea in self.ideas.values() if (idea["challenge_id"], idea["stage_id"]) == place]

    def stages(self, challenge: str) -> list[tuple[str, Row | None, int | None]]:
        """A challenge's stages: id, row and place.

        Those that the source removed are among them if an idea was ever seen there. A stage without a position has no
        place, as has one that the source never described.
        """
        seen = {row["value"] for rows in self.stays.values() for row in rows if row["challenge_id"] == challenge}
        seen |= {idea["stage_id"] for idea in self.ideas_of(challenge) if idea["stage_id"]}
        rows = {row["id"]: row for row in self.all["challenge_stages"] if row["challenge_id"] == challenge}
        shown = [row for row in rows.values() if row["_deleted_at"] is None or row["id"] in seen]
        placed = sorted(
            (row for row in shown if row["position"] is not None),
            key=lambda row: (row["position"], row["_deleted_at"] is None, row["id"]),
        )
        places = {row["id"]: place for place, row in enumerate(placed, 1)}
        ids = [row["id"] for row in shown] + sorted(seen - set(rows))
        return [(id_, rows.get(id_), places.get(id_)) for id_ in ids]

    def staged(self) -> list[str]:
        """The challenges that exist and have stages: by their own rows, or by those of ideas."""
        deleted = {row["id"] for row in self.all["challenges"] if row["_deleted_at"]}
        with_stages = (
            {row["challenge_id"] for row in self.live["challenge_stages"]}
            | {row["challenge_id"] for rows in self.stays.values() for row in rows}
            | {idea["challenge_id"] for idea in self.ideas.values() if idea["stage_id"]}
        )
        return sorted(with_stages - deleted)

    def name(self, place: Place, row: Row | None) -> str | None:
        """The stage's name, or the last that it was seen with."""
        if row:
            return row["name"]
        seen = [stay for stays in self.stays_in(place).values() for stay in stays]
        seen.sort(key=lambda stay: (stay["observed_from"], stay["name"] or ""))
        return seen[-1]["name"] if seen else None

    def funnel(self) -> list[Row]:
        rows = []
        for challenge in self.staged():
            stages = self.stages(challenge)
            place_of = {id_: place for id_, _, place in stages}
            visits: dict[str, list[Row]] = {}
            for idea, stays in self.stays.items():
                if there := [stay for stay in stays if stay["challenge_id"] == challenge]:
                    visits[idea] = there
            furthest = {
                idea: max((place_of[stay["value"]] or 0 for stay in there), default=0) for idea, there in visits.items()
            }
            reached_by = {place: sum(far >= place for far in furthest.values()) for place in place_of.values() if place}
            for id_, row, place in stages:
                place_name = (challenge, id_)
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
                        "name": self.name(place_name, row),
                        "kind": row and row["kind"],
                        "ideas": len(visits),
                        "reached": reached,
                        "entered": len(entered),
                        "skipped": skipped if place else None,
                        "not_observed": unseen if place else None,
                        "re_entered": sum(self.came_back(idea, place_name) for idea in entered),
                        "currently_in": len(self.now_in(place_name)),
                        "next_reached": following,
                        "conversion": None if following is None or not reached else following / reached,
                        "reached_rate": None if reached is None else ratio(reached, len(visits)),
                    }
                )
        return rows

    def came_back(self, idea: str, place: Place) -> bool:
        places = [(stay["challenge_id"], stay["value"]) for stay in self.stays[idea]]
        return any(
            there == place and before != place and place in places[:n]
            for n, (before, there) in enumerate(pairwise(places), 1)
        )

    def stage_times(self) -> list[Row]:
        rows = []
        for challenge in self.staged():
            for id_, row, _ in self.stages(challenge):
                place = (challenge, id_)
                stays = self.stays_in(place)
                spent = [
                    sum(between(s["observed_from"], s["observed_to"] or self.as_of) or 0 for s in of)
                    for of in stays.values()
                ]
                ages = [self.stage_age(idea) for idea in self.now_in(place)]
                known = [age for age in ages if age is not None]
                rows.append(
                    {
                        "challenge_id": challenge,
                        "stage_id": id_,
                        "name": self.name(place, row),
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

    def stage_since(self, idea: Row) -> datetime | None:
        for stay in self.stays.get(idea["id"], ()):
            if stay["observed_to"] is None and (stay["challenge_id"], stay["value"]) == (
                idea["challenge_id"],
                idea["stage_id"],
            ):
                since: datetime = stay["observed_from"]
                return since
        return None

    def stage_age(self, idea: Row) -> int | None:
        return between(self.stage_since(idea), self.as_of)

    # Ideas.

    def responses(self, idea: Row) -> list[Act]:
        authors = self.authors(idea)
        return [
            act
            for act in self.acts
            if act.kind == "comment"
            and act.idea is idea
            and act.person not in authors
            and not act.row["is_author_comment"]
        ]

    def seconds_to_first(self, idea: Row, responses: list[Act]) -> int | None:
        first = min((act.at for act in responses if act.at), default=None)
        return between(self.time(idea["created_at"]), first)

    def idea_lifecycle(self) -> list[Row]:
        admins = {row["id"] for row in self.all["users"] if row["role"] == "admin"}
        rows = []
        for idea in self.ideas.values():
            responses = self.responses(idea)
            adopted = self.ever(idea, "adopted")
            submitted = self.time(idea["created_at"])
            rows.append(
                {
                    "idea_id": idea["id"],
                    "challenge_id": idea["challenge_id"],
                    "stage_id": idea["stage_id"],
                    "submitted_at": submitted,
                    "published_at": self.time(idea["published_at"]),
                    "age_seconds": between(submitted, self.as_of),
                    "stage_since": self.stage_since(idea),
                    "stage_age_seconds": self.stage_age(idea),
                    "responses": len(responses),
                    "first_response_at": min((act.at for act in responses if act.at), default=None),
                    "seconds_to_first_response": self.seconds_to_first(idea, responses),
                    "seconds_to_first_admin_response": self.seconds_to_first(
                        idea, [act for act in responses if act.person in admins]
                    ),
                    "votes": sum(act.kind == "vote" and act.there and act.idea is idea for act in self.acts),
                    "is_adopted": bool(adopted) if self.all["label_classes"] else None,
                    "adopted_at": min((row["observed_from"] for row in adopted), default=None),
                }
            )
        return rows

    def ever(self, idea: Row, class_: str) -> list[Row]:
        """The intervals in which the idea had a label of the class."""
        labels = {row["label_id"] for row in self.all["label_classes"] if row["class"] == class_}
        return [
            row
            for row in self.all["idea_history"]
            if row["idea_id"] == idea["id"] and row["attribute"] == "label" and row["value"] in labels
        ]

    def response_times(self) -> list[Row]:
        rows = []
        for challenge in self.with_ideas:
            ideas = self.ideas_of(challenge)
            responses = [(idea, self.responses(idea)) for idea in ideas]
            seconds = [found for idea, of in responses if (found := self.seconds_to_first(idea, of)) is not None]
            answered = sum(bool(of) for _, of in responses)
            rows.append(
                {
                    "challenge_id": challenge,
                    "ideas": len(ideas),
                    "answered": answered,
                    "answered_rate": ratio(answered, len(ideas)),
                    "median_seconds": nearest_rank(seconds, 50),
                    "p90_seconds": nearest_rank(seconds, 90),
                }
            )
        return rows

    def adoption(self) -> list[Row]:
        rows = []
        for class_ in {row["class"] for row in self.all["label_classes"]}:
            labels = {row["label_id"] for row in self.all["label_classes"] if row["class"] == class_}
            labelled = {row["idea_id"] for row in self.live["idea_labels"] if row["label_id"] in labels}
            for challenge in self.with_ideas:
                ideas = self.ideas_of(challenge)
                ever = sum(bool(self.ever(idea, class_)) for idea in ideas)
                rows.append(
                    {
                        "challenge_id": challenge,
                        "class": class_,
                        "ideas": len(ideas),
                        "ideas_ever": ever,
                        "ideas_now": sum(idea["id"] in labelled for idea in ideas),
                        "rate": ratio(ever, len(ideas)),
                    }
                )
        return rows

    def moderation(self) -> list[Row]:
        ideas = self.live["ideas"]
        moderates = any(row["moderation_status"] is not None for row in ideas)
        approves = any(row["approval_status"] is not None for row in ideas)
        publishes = any(self.time(row["published_at"]) for row in ideas)
        judges = any(row["status"] not in (None, "erased") for row in self.all["users"])
        comments = self.live["comments"]
        judges_comments = any(row["status"] is not None for row in comments)
        rows = []
        for challenge in {row["challenge_id"] for row in ideas}:
            here = [row for row in ideas if row["challenge_id"] == challenge]
            ids = {row["id"] for row in here}
            said = [row for row in comments if row["idea_id"] in ids]
            removed = sum(row["moderation_status"] == "removed" for row in here)
            published = [row for row in here if self.time(row["published_at"])]
            delays = [
                found
                for row in published
                if (found := between(self.time(row["created_at"]), row["published_at"])) is not None
            ]
            rows.append(
                {
                    "challenge_id": challenge,
                    "ideas": len(here),
                    "removed": removed if moderates else None,
                    "removed_rate": ratio(removed, len(here)) if moderates else None,
                    "by_banned_people": sum(row["author_id"] in self.banned for row in here) if judges else None,
                    "counted": len(self.ideas_of(challenge)),
                    "closed": sum(row["moderation_status"] in ("closed", "closed_comments") for row in here)
                    if moderates
                    else None,
                    "pending": sum(row["approval_status"] == "pending" for row in here) if approves else None,
                    "rejected": sum(row["approval_status"] == "rejected" for row in here) if approves else None,
                    "published": len(published) if publishes else None,
                    "published_later": sum(delay >= 60 for delay in delays) if publishes else None,
                    "median_delay_seconds": nearest_rank(delays, 50),
                    "p90_delay_seconds": nearest_rank(delays, 90),
                    "comments": len(said),
                    "removed_comments": sum(row["status"] == "removed" for row in said) if judges_comments else None,
                }
            )
        return rows


def ratio(part: float, whole_: float) -> float | None:
    return part / whole_ if whole_ else None


def between(start: datetime | None, end: datetime | None) -> int | None:
    """Seconds, without the fractions of the two; None if one is unknown or they contradict each other."""
    if start is None or end is None or start > end:
        return None
    return (end.replace(microsecond=0) - start.replace(microsecond=0)) // timedelta(seconds=1)


def nearest_rank(values: list[int], percent: int) -> int | None:
    """The least value that this percentage of the values does not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None
