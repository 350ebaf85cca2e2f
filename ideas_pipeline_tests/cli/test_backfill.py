from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.yaml_file import to_yaml
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import ideas_pipeline, lead_to

DAYS = ("--from", "2025-03-01", "--to", "2025-03-31")
LISTS = ("ideas", "comments", "votes")


def contract(**of_lists: Any) -> dict[str, Any]:
    streams = {name: {"paging": {"size": 4}} | of_lists for name in LISTS}
    return {"limits": {"requests_per_second": None}, "streams": streams}


def bound(name: str) -> dict[str, Any]:
    return {name: {"parameter": name, "column": "created_at"}}


CONTRACTS = {
    "filtered on this side": contract(),
    "filtered on this side, without totals": contract(paging={"size": 4, "total": None}),
    "filtered by the API": contract(**bound("since"), **bound("until")),
    "filtered by the API from below, without totals": contract(paging={"size": 4, "total": None}, **bound("since")),
}


@pytest.fixture(params=CONTRACTS.values(), ids=CONTRACTS.keys())
def any_contract(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


@pytest.fixture
def simulator(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulated community and, in the test's folder, a .env that leads to it."""
    chosen = request.getfixturevalue("any_contract") if "any_contract" in request.fixturenames else contract()
    written = to_yaml(chosen)
    (tmp_path / "contract.yaml").write_text(written)
    with Simulator(load_contract(tmp_path / "contract.yaml"), generate("small", seed=1)) as running:
        lead_to(running, tmp_path, contract=written, IDEAS_TIMEZONE="Europe/Madrid")
        yield running


def asked(simulator: Simulator) -> int:
    return len([entry for entry in simulator.log if entry.stream in LISTS])


@pytest.mark.parametrize(("first", "last"), [("2026-01-01", "9999-12-31"), ("0001-01-01", "2026-01-01")])
def test_days_at_the_end_of_the_calendar_are_a_usage_error(tmp_path: Path, first: str, last: str) -> None:
    named = {"IDEAS_CLIENT_ID": "a", "IDEAS_CLIENT_SECRET": "b", "IDEAS_TIMEZONE": "Asia/Tokyo"}

    done = ideas_pipeline("backfill", "--from", first, "--to", last, "--dry-run", folder=tmp_path, **named)

    assert done.returncode == 2
    assert "Error: the days must be between 0001-01-02 and 9999-12-30." in done.stderr


def test_a_dry_run_sends_nothing_and_says_how_many_requests_the_backfill_then_sends(
    any_contract: dict[str, Any], simulator: Simulator, tmp_path: Path
) -> None:
    ideas_pipeline("sync", folder=tmp_path)
    before = len(simulator.log)
    result = json.loads(ideas_pipeline("backfill", *DAYS, "--dry-run", "--json", folder=tmp_path).stdout)
    assert len(simulator.log) == before
    simulator.reset_log()

    done = ideas_pipeline("backfill", *DAYS, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    sent = asked(simulator)
    assert sent >= 126
    assert abs(result["requests"] - sent) <= 0.05 * sent
    assert sum(s["requests"] for s in result["streams"]) == result["requests"]


def test_a_dry_run_says_the_window_in_words_what_is_asked_for_and_on_what_it_is_based(
    simulator: Simulator, tmp_path: Path
) -> None:
    ideas_pipeline("sync", folder=tmp_path)

    done = ideas_pipeline("backfill", *DAYS, "--only", "ideas", "--dry-run", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "From 2025-03-01 00:00 up to 2025-04-01 00:00 in Europe/Madrid: 31 days, 743 hours." in done.stdout
    (ideas,) = [line.split() for line in done.stdout.splitlines() if line.startswith("ideas ")]
    assert (ideas[1], ideas[3]) == ("6", "everything")
    assert "the contract has no since and until" in done.stdout
    assert "Estimated from the last sweep of each scope" in done.stdout


def test_the_contract_s_limits_decide_how_long_it_takes(simulator: Simulator, tmp_path: Path) -> None:
    ideas_pipeline("sync", folder=tmp_path)
    limits = {"limits": {"requests_per_second": 0.5, "requests_per_hour": 100}}
    (tmp_path / "slow.yaml").write_text(to_yaml(contract() | limits))

    done = ideas_pipeline("backfill", *DAYS, "--dry-run", "--json", folder=tmp_path, IDEAS_CONTRACT="slow.yaml")

    result = json.loads(done.stdout)
    assert result["because"] == "the contract's limit of 100 requests per hour"
    assert result["seconds"] == 36 * result["requests"]


def test_a_backfill_mends_its_days_and_no_others(simulator: Simulator, tmp_path: Path) -> None:
    ideas_pipeline("sync", folder=tmp_path)
    with simulator.changing() as tables:
        march = [c for c in tables["comments"].values() if "2025-03-02" <= c["created_at"] < "2025-03-31"]
        february = [c for c in tables["comments"].values() if "2025-02-02" <= c["created_at"] < "2025-02-28"]
        march[0]["body"] = february[0]["body"] = "edited in place"

    done = ideas_pipeline("backfill", *DAYS, "--only", "comments", "--json", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    (comments,) = json.loads(done.stdout)["streams"]
    assert (comments["stream"], comments["updated"], comments["absent"]) == ("comments", 1, 0)
    assert done.stderr.startswith("From 2025-03-01 00:00 up to 2025-04-01 00:00 in Europe/Madrid")
    with sqlite3.connect(tmp_path / ".ideas/warehouse.db") as database:
        edited = database.execute("SELECT id FROM comments WHERE body = 'edited in place'").fetchall()
    assert edited == [(march[0]["id"],)]


def test_a_dry_run_of_an_empty_warehouse_says_what_to_run_first(simulator: Simulator, tmp_path: Path) -> None:
    done = ideas_pipeline("backfill", *DAYS, "--dry-run", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "First run: ideas-pipeline sync" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--from", "2025-03-02", "--to", "2025-03-01"), "--to: the last day is before --from"),
        (("--from", "yesterday", "--to", "2025-03-01"), "'yesterday' does not match the format '%Y-%m-%d'"),
        ((*DAYS, "--only", "users"), "--only: 'users' is not one of ideas, comments, votes"),
        (("--from", "2025-03-02"), "Missing option '--to'"),
    ],
)
def test_what_cannot_be_a_window_is_refused_with_a_sentence(
    arguments: tuple[str, ...], sentence: str, simulator: Simulator, tmp_path: Path
) -> None:
    done = ideas_pipeline("backfill", *arguments, folder=tmp_path)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert not simulator.log
