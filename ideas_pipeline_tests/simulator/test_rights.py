from __future__ import annotations

from collections.abc import Iterator

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.simulator.caller import Caller

TABLES = generate("small", seed=2)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(load_contract(None), generate("small", seed=2)) as simulator:
        yield simulator


def ids(caller: Caller, path: str) -> set[str]:
    response = caller.get(path, per_page=1000)
    assert response.status_code == 200
    return {record["id"] for record in response.json()["data"]}


def test_the_account_route_shows_the_role(sim: Simulator) -> None:
    caller = Caller(sim)
    assert caller.get("users/me").json() == {"role": "admin"}
    sim.account(role="user")
    assert caller.get("users/me").json() == {"role": "user"}
    assert Caller(sim, login=False).get("users/me").status_code == 401


def test_a_hidden_challenge_is_not_listed_and_its_lists_are_not_found(sim: Simulator) -> None:
    caller = Caller(sim)
    hidden = next(iter(TABLES["challenges"]))
    idea = next(key for key, row in TABLES["ideas"].items() if row["challenge_id"] == hidden)
    sim.account(hidden_challenges={hidden})
    assert ids(caller, "challenges") == TABLES["challenges"].keys() - {hidden}
    paths = [f"challenges/{hidden}/ideas", f"ideas/{idea}/comments", f"ideas/{idea}/votes"]
    assert {caller.get(path).status_code for path in paths} == {404}
    sim.account()
    assert {caller.get(path).status_code for path in paths} == {200}


def test_a_plain_user_does_not_see_removed_and_pending_ideas(sim: Simulator) -> None:
    unseen = {
        key
        for key, row in TABLES["ideas"].items()
        if row["moderation_status"] == "removed" or row["approval_status"] == "pending"
    }
    assert unseen

    def seen() -> set[str]:
        return {i for challenge in TABLES["challenges"] for i in ids(caller, f"challenges/{challenge}/ideas")}

    caller = Caller(sim)
    assert seen() == TABLES["ideas"].keys()
    sim.account(role="user")
    assert seen() == TABLES["ideas"].keys() - unseen
    assert sim.visible()["ideas"].keys() == TABLES["ideas"].keys() - unseen


def test_visible_returns_complete_rows_and_a_copy(sim: Simulator) -> None:
    hidden = list(TABLES["challenges"])[:3]
    sim.account(role="user", hidden_challenges=hidden)
    shown = sim.visible()
    assert {row["challenge_id"] for row in shown["ideas"].values()} == shown["challenges"].keys()
    assert {row["challenge_id"] for row in shown["challenge_stages"].values()} <= shown["challenges"].keys()
    for part in ("idea_labels", "idea_tags", "comments", "votes"):
        assert {row["idea_id"] for row in shown[part].values()} <= shown["ideas"].keys()
        assert 0 < len(shown[part]) < len(TABLES[part])
    assert {row["vote_id"] for row in shown["vote_ratings"].values()} <= shown["votes"].keys()
    shown["users"].popitem()[1]["display_name"] = "changed"
    assert sim.tables == TABLES
