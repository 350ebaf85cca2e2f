"""Generated communities with rare and incomplete rows."""

from __future__ import annotations

from collections import Counter

from ideas_pipeline.simulator.community import Scale, Size, generate
from ideas_pipeline.simulator.truth import Tables


def odd_community(scale: Scale | Size, seed: int = 1) -> Tables:
    """A generated community with banned authors, missing times, statuses, roles and types, and an empty challenge."""
    tables = generate(scale, seed)
    ideas, comments, votes = (list(tables[name].values()) for name in ("ideas", "comments", "votes"))
    users = tables["users"]
    busiest = [person for person, _ in Counter(i["author_id"] for i in ideas if i["author_id"]).most_common()]
    joint = Counter(row["user_id"] for row in tables["idea_coauthors"].values() if not row["is_lead"])
    users[busiest[1]]["status"] = "banned"
    users[joint.most_common()[0][0]]["status"] = "removed"
    users[busiest[2]] |= {"status": "deleted", "joined_at": None}
    users[busiest[3]] |= {"status": None, "role": None, "joined_at": None}
    users[busiest[4]] |= {"status": "active", "role": "admin"}
    for row in comments[::5]:
        row["author_id"] = busiest[4]  # an admin who answers
    for row in comments[::9]:
        row["status"] = "cleared"
    for row in comments[::11]:
        row |= {"is_author_comment": None, "status": None}
    for row in comments[::13]:
        row["author_id"] = None
    for row in votes[::17]:
        row |= {"voting_type": None, "value": None}
    for row in votes[::19]:
        row["user_id"] = None
    for number, row in enumerate(ideas[::23]):
        row |= {"approval_status": "rejected" if number % 2 else "pending", "published_at": None}
    for rows in (ideas[::10], comments[::14], votes[::21]):
        for row in rows:
            row["created_at"] = None
    for row in list(tables["challenge_stages"].values())[:3]:
        row["position"] = 9 - row["position"]
    first = next(iter(tables["challenges"].values()))
    empty = first | {"id": "quiet", "title": "Nobody came", "idea_count": 0, "comment_count": 0, "vote_count": 0}
    tables["challenges"]["quiet"] = empty
    return tables
