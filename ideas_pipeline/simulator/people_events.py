"""Events of comments, votes and accounts. Each function returns False if the community has nothing to change."""

from __future__ import annotations

from ideas_pipeline.simulator import words
from ideas_pipeline.simulator.world import World


def comment(world: World) -> bool:
    idea, author = world.any("ideas"), world.any("users")
    if not idea or not author:
        return False
    answered = None
    if world.rng.random() < 0.4:
        answered = world.any("comments", lambda row: row["idea_id"] == idea["id"])
    world.add(
        "comments",
        idea_id=idea["id"],
        parent_comment_id=answered["id"] if answered else None,
        author_id=author["id"],
        body=world.rng.choice(words.REMARKS),
        is_author_comment=author["id"] == idea["author_id"],
        status="visible",
        like_count=0,
        created_at=world.moment,
        updated_at=None,
    )
    return True


def edit_comment(world: World) -> bool:
    row = world.any("comments")
    if not row:
        return False
    row |= {"body": f"{world.rng.choice(words.REMARKS)} ({world.moment})", "updated_at": world.moment}
    world.mark_idea(row["idea_id"])
    return True


def moderate_comment(world: World) -> bool:
    row = world.any("comments")
    if not row:
        return False
    row["status"] = "visible" if row["status"] == "removed" else "removed"
    world.mark_idea(row["idea_id"])
    return True


def delete_comment(world: World) -> bool:
    answered = {row["parent_comment_id"] for row in world.tables["comments"].values()}
    row = world.any("comments", lambda row: row["id"] not in answered)
    if not row:
        return False
    del world.tables["comments"][row["id"]]
    world.mark_idea(row["idea_id"])
    return True


def vote(world: World) -> bool:
    idea, person = world.any("ideas"), world.any("users")
    if not idea or not person or person["id"] == idea["author_id"]:
        return False
    if world.any("votes", lambda row: (row["idea_id"], row["user_id"]) == (idea["id"], person["id"])):
        return False
    voting = world.tables["challenges"][idea["challenge_id"]]["voting_type"]
    given = world.add(
        "votes",
        idea_id=idea["id"],
        user_id=person["id"],
        stage_id=idea["stage_id"],
        voting_type=voting,
        value=-1.0 if voting == "thumbs" and world.rng.random() < 0.3 else float(world.rng.randint(1, 5)),
        created_at=world.moment,
        updated_at=None,
    )
    if voting in ("thumbs", "thumbs_up"):
        given["value"] = min(given["value"], 1.0)
    if voting == "scorecard":
        for key, name in words.CRITERIA:
            world.add("vote_ratings", vote_id=given["id"], criterion_id=key, criterion=name, rating=given["value"])
    return True


def withdraw_vote(world: World) -> bool:
    row = world.any("votes")
    if not row:
        return False
    world.drop_votes(lambda other: other is row)
    world.mark_idea(row["idea_id"])
    return True


def join(world: World) -> bool:
    name = f"{world.rng.choice(words.FIRST_NAMES)} {world.rng.choice(words.LAST_NAMES)}"
    person = world.add("users", display_name=name, role="user", status="active", joined_at=world.moment, points=0)
    world.add("user_answers", user_id=person["id"], question_id="site", label="Site", value="Leeds")
    return True


def leave_or_return(world: World) -> bool:
    """Ban or remove an active person, or make an inactive one active again."""
    person = world.any("users")
    if not person:
        return False
    person["status"] = world.rng.choice(("banned", "removed")) if person["status"] == "active" else "active"
    return True


def delete_account(world: World) -> bool:
    """Delete an account. Its posts stay, without an author, and no timestamp changes."""
    person = world.any("users")
    if not person:
        return False
    key = person["id"]
    del world.tables["users"][key]
    world.drop("user_answers", lambda row: row["user_id"] == key)
    world.drop("idea_coauthors", lambda row: row["user_id"] == key)
    for table, column in (("ideas", "author_id"), ("comments", "author_id"), ("votes", "user_id")):
        for row in world.tables[table].values():
            if row[column] == key:
                row[column] = None
    return True


def like_comment(world: World) -> bool:
    """Like a comment; nothing in the idea shows it."""
    row = world.any("comments")
    if not row:
        return False
    row["like_count"] += 1
    return True


def edit_comment_unseen(world: World) -> bool:
    """Edit a comment; no timestamp shows it, neither of the idea nor of the comment."""
    row = world.any("comments")
    if not row:
        return False
    row["body"] = f"{world.rng.choice(words.REMARKS)} (quietly, {world.moment})"
    return True
