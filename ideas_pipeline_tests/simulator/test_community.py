from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.simulator.community import SIZES, Scale, demo_community, generate

TABLES = generate("small")


@pytest.mark.parametrize("scale", ["small", "medium"])
def test_a_community_has_exactly_the_size_that_is_asked_for(scale: Scale) -> None:
    tables = generate(scale)
    assert {name: len(tables[name]) for name in SIZES[scale]._fields} == SIZES[scale]._asdict()


def test_the_same_seed_makes_the_same_community_and_another_seed_another() -> None:
    assert generate("small", seed=4) == generate("small", seed=4)
    assert generate("small", seed=4) != generate("small", seed=5)


def test_the_declared_counts_are_right() -> None:
    for table, column, child in (
        ("challenges", "idea_count", Counter(i["challenge_id"] for i in TABLES["ideas"].values())),
        ("ideas", "comment_count", Counter(c["idea_id"] for c in TABLES["comments"].values())),
        ("ideas", "vote_count", Counter(v["idea_id"] for v in TABLES["votes"].values())),
        ("users", "idea_count", Counter(i["author_id"] for i in TABLES["ideas"].values())),
        ("users", "vote_count", Counter(v["user_id"] for v in TABLES["votes"].values())),
    ):
        assert {key: row[column] for key, row in TABLES[table].items()} == {key: child[key] for key in TABLES[table]}


def test_every_reference_leads_somewhere() -> None:
    for table, column, parent in (
        ("ideas", "challenge_id", "challenges"),
        ("ideas", "author_id", "users"),
        ("comments", "idea_id", "ideas"),
        ("comments", "parent_comment_id", "comments"),
        ("comments", "author_id", "users"),
        ("votes", "user_id", "users"),
        ("idea_coauthors", "user_id", "users"),
        ("vote_ratings", "vote_id", "votes"),
    ):
        named = {row[column] for row in TABLES[table].values()} - {None}
        assert named <= TABLES[parent].keys(), (table, column)


def test_replies_follow_what_they_answer_on_the_same_idea() -> None:
    comments = TABLES["comments"]
    replies = [c for c in comments.values() if c["parent_comment_id"]]
    assert replies
    for reply in replies:
        answered = comments[reply["parent_comment_id"]]
        assert (reply["idea_id"], reply["created_at"]) > (answered["idea_id"], answered["created_at"])


def test_every_kind_of_challenge_stage_vote_and_odd_idea_occurs() -> None:
    def values(table: str, column: str) -> set[object]:
        return {row[column] for row in TABLES[table].values()}

    assert values("challenges", "type") == {"standard", "funnel", "milestone"}
    assert values("votes", "voting_type") == {"thumbs", "thumbs_up", "stars", "points", "scorecard"}
    assert values("challenge_stages", "kind") == {"phase", "vote_target", "refinement", "approval"}
    assert "removed" in values("ideas", "moderation_status")
    assert values("ideas", "is_anonymous") == values("idea_labels", "is_system") == {True, False}
    # A deleted account has left its posts without a name.
    assert any(i["author_id"] is None and not i["is_anonymous"] for i in TABLES["ideas"].values())
    assert None in values("comments", "author_id") & values("votes", "user_id")
    texts = "".join(row["body"] for table in ("ideas", "comments") for row in TABLES[table].values())
    assert all(odd in texts for odd in ("\r\n", "<b>", "🌱", "&amp;amp;"))


def test_few_people_post_and_a_person_votes_once_on_an_idea() -> None:
    tables = generate("medium")
    authors = {i["author_id"] for i in tables["ideas"].values()} - {None}
    assert 0.05 < len(authors) / len(tables["users"]) < 0.12
    votes = [(v["idea_id"], v["user_id"]) for v in tables["votes"].values()]
    assert len(votes) == len(set(votes))
    by_person = sorted(Counter(user for _, user in votes).values(), reverse=True)
    assert sum(by_person[:300]) > 3 * sum(by_person[-300:])


def test_nothing_has_happened_after_the_end_and_something_shortly_before() -> None:
    ends = datetime(2026, 11, 23, tzinfo=UTC)
    tables = generate("small", ends=ends)
    acts = [
        datetime.fromisoformat(row["created_at"]) for name in ("comments", "votes") for row in tables[name].values()
    ]
    assert ends - timedelta(days=7) < max(acts) < ends
    when = ("created_at", "updated_at", "published_at", "joined_at", "last_seen_at")
    times = [row[name] for table in tables.values() for row in table.values() for name in when if row.get(name)]
    assert max(map(datetime.fromisoformat, times)) < ends + timedelta(days=1)


def test_many_people_do_nothing() -> None:
    acting = {
        row[who] for table, who in (("comments", "author_id"), ("votes", "user_id")) for row in TABLES[table].values()
    }
    assert len(acting & TABLES["users"].keys()) < 0.7 * len(TABLES["users"])


def test_the_demo_community_is_the_same_all_week() -> None:
    assert demo_community() == demo_community()
