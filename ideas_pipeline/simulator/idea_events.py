"""Events of ideas. Each function changes the community, or returns False if it has nothing to change."""

from __future__ import annotations

from ideas_pipeline.simulator import words
from ideas_pipeline.simulator.world import World

_CHILDREN = ("idea_labels", "idea_tags", "idea_coauthors", "idea_answers", "idea_attachments")


def post_idea(world: World) -> bool:
    challenge, author = world.any("challenges"), world.any("users")
    if not challenge or not author:
        return False
    stages = world.stages(challenge["id"])
    waits = world.rng.random() < 0.2
    idea = world.add(
        "ideas",
        challenge_id=challenge["id"],
        stage_id=stages[0]["id"] if stages else None,
        author_id=author["id"],
        title=f"{world.rng.choice(words.VERBS)} {world.rng.choice(words.THINGS)}",
        body=world.rng.choice(words.PARAGRAPHS),
        status="new",
        moderation_status="clear",
        approval_status="pending" if waits else "approved",
        is_anonymous=False,
        view_count=0,
        follower_count=0,
        created_at=world.moment,
        published_at=None if waits else world.moment,
        updated_at=world.moment,
    )
    world.add("idea_tags", idea_id=idea["id"], tag=world.rng.choice(words.TAGS))
    return True


def edit_idea(world: World) -> bool:
    idea = world.any("ideas")
    if not idea:
        return False
    idea |= {"body": f"{world.rng.choice(words.PARAGRAPHS)} ({world.moment})", "updated_at": world.moment}
    return True


def publish_late(world: World) -> bool:
    """Approve an idea long after it was written; ``updated_at`` does not change."""
    idea = world.any("ideas", lambda row: row["approval_status"] == "pending")
    if not idea:
        return False
    idea |= {"approval_status": "approved", "published_at": world.moment}
    return True


def move_idea(world: World) -> bool:
    """Move an idea to another challenge; ``updated_at`` does not change."""
    idea = world.any("ideas")
    challenge = idea and world.any("challenges", lambda row: row["id"] != idea["challenge_id"])
    if not idea or not challenge:
        return False
    stages = world.stages(challenge["id"])
    idea |= {"challenge_id": challenge["id"], "stage_id": stages[0]["id"] if stages else None}
    return True


def change_stage(world: World) -> bool:
    """Set another stage, later or earlier; ``updated_at`` does not change."""
    idea = world.any("ideas", lambda row: row["stage_id"])
    if not idea:
        return False
    stages = [stage["id"] for stage in world.stages(idea["challenge_id"])]
    idea["stage_id"] = world.rng.choice([stage for stage in stages if stage != idea["stage_id"]])
    return True


def remove_idea(world: World) -> bool:
    """Remove an idea as a moderator does, who can restore it."""
    idea = world.any("ideas", lambda row: row["moderation_status"] != "removed")
    if not idea:
        return False
    idea["moderation_status"] = "removed"
    return True


def restore_idea(world: World) -> bool:
    idea = world.any("ideas", lambda row: row["moderation_status"] == "removed")
    if not idea:
        return False
    idea["moderation_status"] = "clear"
    return True


def delete_idea(world: World) -> bool:
    """Delete an idea for good, with its comments, votes and embedded rows."""
    idea = world.any("ideas")
    if not idea:
        return False
    key = idea["id"]
    world.tables["ideas"].pop(key)
    for table in _CHILDREN:
        world.drop(table, lambda row: row["idea_id"] == key)
    world.drop_comments({key})
    world.drop_votes(lambda row: row["idea_id"] == key)
    return True


def add_or_remove_label(world: World) -> bool:
    """Add a label to an idea, or remove it; ``updated_at`` does not change."""
    idea = world.any("ideas")
    if not idea:
        return False
    key, name, color, system = world.rng.choice(words.LABELS)
    if not world.drop("idea_labels", lambda row: row["idea_id"] == idea["id"] and row["label_id"] == key):
        known = world.any("idea_labels", lambda row: row["label_id"] == key)
        name = known["name"] if known else name
        row = {"label_id": key, "name": name, "color": color, "is_system": system, "position": 9}
        world.add("idea_labels", idea_id=idea["id"], **row)
    return True


def rename_label(world: World) -> bool:
    label = world.any("idea_labels", lambda row: not row["is_system"])
    if not label:
        return False
    for row in world.tables["idea_labels"].values():
        if row["label_id"] == label["label_id"]:
            row["name"] = f"{row['name'].split(' (')[0]} ({world.moment})"
    return True


def start_phase(world: World) -> bool:
    """Move a funnel and all its ideas to another phase, which deletes their votes or their comments."""
    challenge = world.any("challenges", lambda row: row["type"] == "funnel")
    if not challenge:
        return False
    stages = world.stages(challenge["id"])
    ideas = {row["id"] for row in world.tables["ideas"].values() if row["challenge_id"] == challenge["id"]}
    before = world.rng.randrange(len(stages) - 1)
    stages[before]["ends_at"] = stages[before + 1]["starts_at"] = world.moment
    resets_votes = world.rng.random() < 0.5
    stages[before + 1] |= {"resets_votes": resets_votes, "clears_comments": not resets_votes}
    for idea in ideas:
        world.tables["ideas"][idea]["stage_id"] = stages[before + 1]["id"]
        world.mark_idea(idea)
    if resets_votes:
        world.drop_votes(lambda row: row["idea_id"] in ideas)
    else:
        world.drop_comments(ideas)
    return True
