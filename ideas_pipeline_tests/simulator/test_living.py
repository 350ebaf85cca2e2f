from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.living import EVENTS, LivingCommunity
from ideas_pipeline.simulator.truth import Row, Tables


@pytest.fixture
def tables() -> Tables:
    return generate("small", seed=2)


def lists_of(tables: Tables, idea: str) -> list[Row]:
    return [r for name in ("comments", "votes") for r in tables[name].values() if r["idea_id"] == idea]


def signs(idea: Row) -> tuple[object, ...]:
    return idea["updated_at"], idea["comment_count"], idea["vote_count"], idea["score"]


def test_the_same_seed_is_the_same_life_and_another_seed_another() -> None:
    lives = [generate("small") for _ in range(3)]
    events = [
        LivingCommunity(tables, seed, hidden_changes=True).step(60)
        for tables, seed in zip(lives, (7, 7, 8), strict=True)
    ]
    assert (events[0], lives[0]) == (events[1], lives[1])
    assert lives[0] != lives[2]


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_changes_the_community_and_leaves_what_parents_declare_right(event: str, tables: Tables) -> None:
    before = copy.deepcopy(tables)
    LivingCommunity(tables, seed=2).happen(event)
    assert tables != before
    declared = copy.deepcopy(tables)
    declare_counts(declared)
    assert declared == tables


def test_a_change_of_an_idea_s_comments_or_votes_shows_in_the_idea_without_hidden_changes(tables: Tables) -> None:
    life = LivingCommunity(tables, seed=11)
    for _ in range(60):
        before = copy.deepcopy(tables)
        events = life.step(3)
        for key, idea in tables["ideas"].items():
            if key in before["ideas"] and lists_of(before, key) != lists_of(tables, key):
                assert signs(idea) != signs(before["ideas"][key]), (events, key)


@pytest.mark.parametrize("event", ["edit_comment_unseen", "like_comment", "delete_account"])
def test_a_hidden_change_shows_in_no_idea(event: str, tables: Tables) -> None:
    before = copy.deepcopy(tables)
    LivingCommunity(tables, seed=7).happen(event)
    assert [signs(row) for row in tables["ideas"].values()] == [signs(row) for row in before["ideas"].values()]
    assert tables["comments"] != before["comments"]


def test_a_deleted_account_leaves_its_posts_without_an_author_and_with_their_timestamps(tables: Tables) -> None:
    before = copy.deepcopy(tables)
    LivingCommunity(tables, seed=21).happen("delete_account")
    (gone,) = before["users"].keys() - tables["users"].keys()
    assert gone not in str([tables[name] for name in ("users", "user_answers", "idea_coauthors")])
    posts = [key for key, row in before["ideas"].items() if row["author_id"] == gone]
    comments = [key for key, row in before["comments"].items() if row["author_id"] == gone]
    assert posts or comments
    for name, keys in (("ideas", posts), ("comments", comments)):
        for key in keys:
            assert tables[name][key] == before[name][key] | {"author_id": None}


def test_a_phase_start_clears_the_votes_or_the_comments_of_a_whole_challenge(tables: Tables) -> None:
    life = LivingCommunity(tables, seed=6)
    before = copy.deepcopy(tables)
    life.happen("start_phase")
    (stage,) = [s for s in tables["challenge_stages"].values() if s["starts_at"] == f"{life.now:%Y-%m-%dT%H:%M:%SZ}"]
    cleared, kept = ("votes", "comments") if stage["resets_votes"] else ("comments", "votes")
    ideas = {key for key, row in tables["ideas"].items() if row["challenge_id"] == stage["challenge_id"]}
    assert {tables["ideas"][key]["stage_id"] for key in ideas} == {stage["id"]}
    assert any(row["idea_id"] in ideas for row in before[cleared].values())
    assert not any(row["idea_id"] in ideas for row in tables[cleared].values())
    assert tables[kept] == before[kept]


def test_an_idea_published_late_keeps_its_timestamps(tables: Tables) -> None:
    life = LivingCommunity(tables, seed=1)
    before = copy.deepcopy(tables["ideas"])
    life.happen("publish_late")
    (idea,) = [row for key, row in tables["ideas"].items() if row != before[key]]
    old = before[idea["id"]]
    assert (old["approval_status"], idea["approval_status"]) == ("pending", "approved")
    assert (idea["created_at"], idea["updated_at"]) == (old["created_at"], old["updated_at"])
    assert idea["published_at"] == f"{life.now:%Y-%m-%dT%H:%M:%SZ}"


def test_the_clock_shows_the_moment_it_was_advanced_to_and_nothing_happens_later(tables: Tables) -> None:
    life = LivingCommunity(tables, seed=9)
    to = life.now + timedelta(days=3)
    assert life.advance(to)
    assert life.now == to
    latest = max(row["created_at"] for name in ("ideas", "comments", "votes") for row in tables[name].values())
    assert datetime(2026, 1, 5, 6, tzinfo=UTC) < datetime.fromisoformat(latest) <= to


def test_the_same_things_happen_however_many_steps_the_clock_takes() -> None:
    at_once, daily = generate("small"), generate("small")
    life = LivingCommunity(at_once, seed=5, hidden_changes=True)
    events = life.advance(life.now + timedelta(days=4))
    life = LivingCommunity(daily, seed=5, hidden_changes=True)
    assert [event for _ in range(4) for event in life.advance(life.now + timedelta(days=1))] == events
    assert daily == at_once


def test_an_event_that_cannot_happen_is_an_error(tables: Tables) -> None:
    tables["ideas"].clear()
    with pytest.raises(ValueError, match="edit_idea: the community has nothing"):
        LivingCommunity(tables).happen("edit_idea")
