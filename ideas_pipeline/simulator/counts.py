"""The counts and scores that parents declare about their children."""

from __future__ import annotations

import math

from ideas_pipeline.simulator.truth import Tables

_SCORE_TYPES = {"thumbs": "sum", "thumbs_up": "count", "stars": "average", "points": "sum", "scorecard": "average"}


def declare_counts(tables: Tables) -> None:
    """Set the true number of children in every parent, and the score of every idea."""
    values: dict[str, list[float]] = {}
    for table in ("challenges", "users", "ideas"):
        counts = ("comment_count", "vote_count") if table == "ideas" else ("idea_count", "comment_count", "vote_count")
        for row in tables[table].values():
            row.update(dict.fromkeys(counts, 0))
    for idea in tables["ideas"].values():
        tables["challenges"][idea["challenge_id"]]["idea_count"] += 1
        if idea["author_id"]:
            tables["users"][idea["author_id"]]["idea_count"] += 1
    for table, person_column, name in (
        ("comments", "author_id", "comment_count"),
        ("votes", "user_id", "vote_count"),
    ):
        for row in tables[table].values():
            idea = tables["ideas"][row["idea_id"]]
            idea[name] += 1
            tables["challenges"][idea["challenge_id"]][name] += 1
            if row[person_column]:
                tables["users"][row[person_column]][name] += 1
            if table == "votes":
                values.setdefault(idea["id"], []).append(row["value"])
    for key, idea in tables["ideas"].items():
        challenge = tables["challenges"][idea["challenge_id"]]
        idea["score_type"] = _SCORE_TYPES[challenge["voting_type"]]
        idea["score"] = None if challenge["blind_voting"] else _score(idea["score_type"], values.get(key, []))


def _score(score_type: str, values: list[float]) -> float | None:
    if not values:
        return None
    total = math.fsum(values)
    return round(total / len(values), 2) if score_type == "average" else total
