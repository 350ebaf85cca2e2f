"""The marts of a community that changes between syncs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.simulator.community import Size
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.truth import Row, Tables
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.test_absence import remove_idea
from ideas_pipeline_tests.marts.comparing import found
from ideas_pipeline_tests.marts.following import CONTRACT, Follower, following
from ideas_pipeline_tests.marts.odd import odd_community
from ideas_pipeline_tests.marts.proof import CLASSES, assert_true_on_both, classify
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

TOWN = Size(challenges=6, ideas=50, comments=250, votes=500, users=150)
EVENTS = (
    *(
        "post_idea",
        "comment",
        "vote",
        "withdraw_vote",
        "delete_comment",
        "moderate_comment",
        "add_or_remove_label",
        "join",
    ),
    *("move_idea", "change_stage", "change_stage", "publish_late", "remove_idea", "restore_idea", "leave_or_return"),
    *("delete_idea", "delete_account"),
)
OFTEN = ("post_idea", "comment", "vote", "add_or_remove_label", "change_stage")


class Town:
    """A community in which every kind of event happens between two syncs."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.life = LivingCommunity(follower.simulator.tables, seed=4, hidden_changes=True)

    def live(self) -> None:
        with self.follower.simulator.changing():
            for event in EVENTS:
                with suppress(ValueError):  # a second vote of the same person, nothing that waits to be published
                    self.life.happen(event, 3 if event in OFTEN else 1)

    def start_phase(self, clears: str) -> None:
        """Move the busiest funnel to its last phase, which clears all votes or all comments."""
        with self.follower.simulator.changing() as tables:
            funnel = self.funnel(tables)
            stages = [s for s in tables["challenge_stages"].values() if s["challenge_id"] == funnel]
            last = max(stages, key=lambda stage: stage["position"])
            last |= {"starts_at": datetime.now(UTC).isoformat(), clears: True}
            ideas = {key for key, row in tables["ideas"].items() if row["challenge_id"] == funnel}
            for idea in ideas:
                tables["ideas"][idea]["stage_id"] = last["id"]
            table = {"resets_votes": "votes", "clears_comments": "comments"}[clears]
            gone = {key for key, row in tables[table].items() if row["idea_id"] in ideas}
            assert gone
            for key in gone:
                del tables[table][key]
            for key in [k for k, row in tables["vote_ratings"].items() if row["vote_id"] in gone]:
                del tables["vote_ratings"][key]

    def funnel(self, tables: Tables) -> str:
        funnels = [key for key, row in tables["challenges"].items() if row["type"] == "funnel"]
        return max(funnels, key=lambda f: sum(row["challenge_id"] == f for row in tables["ideas"].values()))

    def send(self, idea: Row, challenge: str, stage: str | None) -> None:
        with self.follower.simulator.changing():
            idea |= {"challenge_id": challenge, "stage_id": stage}


@pytest.fixture
def town(sqlite: Warehouse, tmp_path: Path) -> Iterator[Town]:
    tables = odd_community(TOWN, seed=3)
    _number_stages(tables)
    for row in tables["votes"].values():
        row["value"] = row["value"] or 0.0  # a living community adds them up
    with following(tables, sqlite, tmp_path) as follower:
        classify(follower.engine, CLASSES)
        yield Town(follower)


def _number_stages(tables: Tables) -> None:
    """Number the stages within each challenge, so that their ids are unique only there."""
    numbers = {stage["id"]: str(stage["position"] % 5 + 1) for stage in tables["challenge_stages"].values()}
    for stage in tables["challenge_stages"].values():
        stage["id"] = numbers[stage["id"]]
    for table in ("ideas", "votes"):
        for row in tables[table].values():
            row["stage_id"] = numbers.get(row["stage_id"])


def total(engine: sa.Engine, mart: str, column: str) -> int:
    return sum(row[column] for row in found(engine, mart).values())


def test_marts_of_a_living_community_are_true_after_eight_syncs(town: Town, postgresql: Warehouse) -> None:
    follower = town.follower
    for night in range(7):
        town.live()
        if night in (2, 4):
            town.start_phase("resets_votes" if night == 2 else "clears_comments")
        follower.sync()
    assert_true_on_both(follower, postgresql, CLASSES)
    for mart, column in (
        ("mart_challenges", "cleared"),
        ("mart_funnel", "skipped"),
        ("mart_funnel", "not_observed"),
        ("mart_funnel", "re_entered"),
        ("mart_adoption", "ideas_ever"),
        ("mart_moderation", "removed"),
        ("mart_moderation", "by_banned_people"),
    ):
        assert total(follower.engine, mart, column), f"nothing of {mart}.{column} happened: it is not proven"
    assert total(follower.engine, "mart_adoption", "ideas_ever") > total(follower.engine, "mart_adoption", "ideas_now")


def test_an_idea_that_was_only_invisible_has_not_re_entered_its_stage(town: Town, postgresql: Warehouse) -> None:
    follower, tables = town.follower, town.follower.simulator.tables
    idea = next(key for key, row in tables["ideas"].items() if row["stage_id"] and row["moderation_status"] == "clear")
    everything = copy.deepcopy(tables)
    with follower.simulator.changing():
        remove_idea(tables, idea)
    follower.sync()
    with follower.simulator.changing():
        tables.update(everything)
    follower.sync()
    assert_true_on_both(follower, postgresql, CLASSES)
    assert total(follower.engine, "mart_funnel", "re_entered") == 0


@pytest.mark.parametrize(("through", "came_back"), [("a stage of another challenge", 1), ("no stage", 0)])
def test_an_idea_that_moves_away_and_back_re_enters_its_stage_if_it_was_in_another_meanwhile(
    through: str, came_back: int, town: Town, postgresql: Warehouse
) -> None:
    follower, tables = town.follower, town.follower.simulator.tables
    counted = {None} | {key for key, row in tables["users"].items() if row["status"] == "active"}
    idea = next(
        row
        for row in tables["ideas"].values()
        if (tables["challenges"][row["challenge_id"]]["type"], row["stage_id"]) == ("funnel", "3")
        and (row["moderation_status"], row["author_id"] in counted) == ("clear", True)
    )
    home = idea["challenge_id"]
    kind, away = ("milestone", "3") if came_back else ("standard", None)  # another third stage, or none
    town.send(idea, next(key for key, row in tables["challenges"].items() if row["type"] == kind), away)
    follower.sync()
    town.send(idea, home, "3")
    follower.sync()
    assert_true_on_both(follower, postgresql, CLASSES)
    assert total(follower.engine, "mart_funnel", "re_entered") == came_back


def test_an_erased_person_is_still_counted_without_a_name(
    sqlite: Warehouse, postgresql: Warehouse, tmp_path: Path
) -> None:
    tables = odd_community("small")
    voters = sorted({row["user_id"] for row in tables["votes"].values()} & tables["users"].keys())
    with following(tables, sqlite, tmp_path) as follower:
        classify(follower.engine, CLASSES)
        privacy = Privacy(CONTRACT, COMMUNITY, Policy(), folder=tmp_path, key=None, archive=tmp_path / "archive")
        for key in voters[:2]:
            surrogate = privacy.erase(sqlite, key).surrogate
            for look in follower.looks:
                _rename(look.tables, key, surrogate)
        assert_true_on_both(follower, postgresql, CLASSES)
        statuses = found(follower.engine, "mart_people")
        assert statuses["erased",]["people"] == 2


def _rename(tables: Tables, person: str, surrogate: str) -> None:
    """Leave only the surrogate of an erased person."""
    del tables["users"][person]
    tables["users"][surrogate] = {"id": surrogate, "status": "erased"}
    for rows in tables.values():
        for row in rows.values():
            for column in ("author_id", "user_id"):
                if row.get(column) == person:
                    row[column] = surrogate
