from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ideas_pipeline.warehouse.runs import finish_run
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.cli.community import CONFIGURED, NOW, STREAMS, Community
from ideas_pipeline_tests.warehouse.calls import call_writing


@pytest.fixture
def community(tmp_path: Path) -> Community:
    return Community(tmp_path)


def test_before_the_first_sync_it_says_what_to_run(community: Community) -> None:
    assert community.status().startswith(
        "Nothing was synced yet. Run: ideas-pipeline sync Community community in .ideas"
    )
    assert community.as_json()["verdict"] == "empty"


def test_in_a_folder_without_an_api_client_it_says_where_to_look(tmp_path: Path) -> None:
    output = ideas_pipeline("status", folder=tmp_path).stdout

    assert "No API client is named in .env of this folder" in output
    assert "ideas-pipeline init" in output


def test_when_all_is_well_the_first_line_says_so_and_since_when(community: Community) -> None:
    community.runs(5.01)
    at = NOW - timedelta(hours=5.01)

    shown = community.status()

    assert shown.startswith(f"All is well: everything was complete 5 hours ago ({at:%Y-%m-%d %H:%M} UTC).")
    assert f"votes complete {at:%Y-%m-%d %H:%M}, 5 hours ago 0 0 0" in shown
    assert f"Last sync: {at:%Y-%m-%d %H:%M} UTC, 3 minutes, 1,250 requests, complete." in shown
    result = community.as_json()
    assert (result["verdict"], result["findings"], result["running"], result["unfinished"]) == ("well", [], None, None)


def test_incomplete_streams_share_one_line_with_the_reason_and_a_command(
    community: Community,
) -> None:
    community.runs(29)
    community.runs(5, "failed", "the API did not answer [again]")

    shown = community.status()

    assert shown.startswith(
        "Attention: 1 thing needs you. "
        "1. challenges, users, ideas, comments, votes: The last sync failed: the API did not answer [again]. "
        "→ Sync again (`ideas-pipeline sync`); if it stays, run `ideas-pipeline check`."
    )
    assert "1 day ago" in shown
    found = community.as_json()["findings"]
    assert [(f["code"], f["stream"], f["severity"]) for f in found] == [("completeness", s, "error") for s in STREAMS]
    assert {f["do"] for f in found} == {"Sync again (`ideas-pipeline sync`); if it stays, run `ideas-pipeline check`."}
    assert {f["means"] for f in found} == {
        "What was read is loaded. New rows can be missing, and deleted ones can still count."
    }


def test_a_long_reason_is_cut_so_that_all_fits(community: Community) -> None:
    community.runs(29)
    for stream in STREAMS:
        community.runs(5, "incomplete", f"{stream} 12: " + "the total moved while it was read; " * 99, stream)

    assert community.status().count("…") == 5


def test_a_sync_that_was_killed_is_distinguished_from_one_that_runs(community: Community) -> None:
    community.runs(29)
    run = community.begins(3, "challenges", "ideas")
    community.loads(run, "ideas", 12, hours_ago=2)

    with community.account_held():
        running = community.status()
    killed = community.status()

    assert running.startswith("All is well: everything was complete 1 day ago")
    assert "ideas running" in running
    assert "Running: ideas-pipeline sync (process " in running
    assert killed.startswith("Attention: 1 thing needs you. 1. The sync that began ")
    assert "was killed, or runs on another machine (last sign of life 2 hours ago). Read: scopes of ideas 12." in killed
    assert "→ Run `ideas-pipeline sync`, which goes on from there." in killed
    assert "ideas interrupted" in killed


def test_while_the_first_sync_runs_nothing_is_wrong(community: Community) -> None:
    community.begins(0, "challenges")

    with community.account_held():
        assert community.status().startswith("A first sync is under way: not everything is complete yet.")
        assert community.as_json()["verdict"] == "running"


def test_without_an_account_a_run_is_taken_to_run_while_it_shows_signs_of_life(community: Community) -> None:
    run = community.begins(30, "challenges")
    community.loads(run, "challenges", 1, hours_ago=5)
    nobody = {"IDEAS_CLIENT_ID": "", "IDEAS_CLIENT_SECRET": ""}

    assert "is still running, or was killed (last sign of life 5 hours ago)" in community.status(**nobody)
    community.begins(7, "challenges")
    assert "was killed, or runs on another machine" in community.status(**nobody)


def test_a_stopped_sync_is_reported_as_stopped(community: Community) -> None:
    run = community.begins(1, *STREAMS)
    with community.warehouse() as warehouse:
        call_writing(warehouse, finish_run, run, "failed", "stopped: KeyboardInterrupt", NOW)

    assert (
        "was interrupted (stopped: KeyboardInterrupt). Read: nothing yet. "
        "→ Run `ideas-pipeline sync`, which goes on from there."
    ) in community.status()


def test_a_night_that_failed_before_it_read_anything_is_not_well_though_the_proofs_are_fresh(
    community: Community,
) -> None:
    community.runs(20)
    run = community.begins(2)
    with community.warehouse() as warehouse:
        call_writing(warehouse, finish_run, run, "failed", "the API refuses the client id and secret (HTTP 401).", NOW)

    output = community.status()

    assert output.startswith("Attention: 1 thing needs you.")
    assert "UTC failed: the API refuses the client id and secret (HTTP 401). " in output
    assert "→ Run `ideas-pipeline check`; once it passes, `ideas-pipeline sync`." in output


def test_marts_that_were_not_built_after_a_sync_need_a_person_once_there_was_time_for_it(community: Community) -> None:
    community.runs(20)
    community.builds_marts(19)
    assert community.status().startswith("All is well")

    community.runs(2)

    assert "The analysts' tables (mart_…) are older than the last sync" in community.status()
    assert community.as_json()["findings"][0]["do"] == "Run `ideas-pipeline marts`."


def test_old_proofs_need_a_person(community: Community) -> None:
    community.runs(80)

    shown = community.status()

    assert shown.startswith(
        "Attention: 1 thing needs you. 1. Not complete within the last 36 hours; last complete: challenges ("
    )
    assert community.status(IDEAS_STALE_HOURS="100").startswith("All is well")


def test_streams_that_were_never_synced_need_a_person(community: Community) -> None:
    community.runs(1, "complete", None, "challenges", "ideas")

    shown = community.status()

    assert "1. users, comments, votes: Never synced. → Run `ideas-pipeline sync`." in shown
    assert "users never never – – –" in shown


def test_held_rows_and_rejects_need_a_person(community: Community) -> None:
    community.runs(29)
    community.runs(5)
    community.runs(5, "incomplete", "15 of 60 rows of the stream are missing (10 % is believed)", "comments")
    community.holds("comments", 15)
    community.rejects("ideas", 3)
    community.rejects("idea_labels", 1)

    shown = community.status()

    assert shown.startswith("Attention: 2 things need you. 1. comments: The last sync is incomplete: 15 of 60 rows")
    assert "2. comments: Absent and held: 15 rows of comments (too many)." in shown
    assert "See `ideas-pipeline absences list`." in shown
    assert "3. Warning: ideas: Rejected records: 4 (ideas: no number (3), idea_labels" in shown
    assert "See `ideas-pipeline rejects list`;" in shown


def test_warnings_that_numbers_can_be_wrong_are_not_well_and_come_first(community: Community) -> None:
    community.runs(5, hidden=3)
    community.rejects("ideas", 3)

    shown = community.as_json()

    assert shown["verdict"] == "doubtful"
    assert shown["summary"].startswith("Complete 5 hours ago (")
    assert shown["summary"].endswith(" UTC), but numbers can be wrong: see the first warning.")
    assert [f["code"] for f in shown["findings"]] == ["rejects", "hidden_changes", "hidden_changes"]


def test_what_needs_a_person_comes_before_what_doubts_the_numbers(community: Community) -> None:
    community.runs(29)
    community.runs(5, "failed", "the API did not answer", "ideas")
    community.rejects("challenges", 1)

    assert [f["code"] for f in community.as_json()["findings"]][:2] == ["completeness", "rejects"]


def test_a_backfill_proves_nothing_of_today_and_disproves_nothing(community: Community) -> None:
    window = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    community.runs(80)
    community.runs(1, mode="window", window=window)
    assert "Not complete within the last 36 hours" in community.status()

    community.runs(2)
    run = community.begins(0.5, "comments", mode="window", window=window)
    community.loads(run, "comments", 2, hours_ago=0.2)

    shown = community.status(IDEAS_TIMEZONE="Europe/Madrid")

    assert shown.startswith(
        "Attention: 1 thing needs you. 1. The backfill from 2026-03-01 01:00 to before 2026-04-01 02:00"
    )
    assert "Read: scopes of comments 2. → Run the same `ideas-pipeline backfill`, which goes on from there." in shown
    assert "comments complete" in shown
    result = community.as_json()["unfinished"]
    assert (result["run_id"], result["lists"]) == (run, {"comments": 2})


def test_an_incomplete_backfill_is_reported_with_its_reason(community: Community) -> None:
    window = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    community.runs(2)
    community.runs(1, "incomplete", "votes: the total moved", mode="window", window=window)

    assert "did not end: votes: the total moved." in community.status()


def test_hidden_changes_are_warnings_and_all_is_well(community: Community) -> None:
    community.runs(2, hidden=3)

    shown = community.status()

    assert ", 3 minutes, 1,250 requests, complete." in shown
    assert "UTC). 2 warnings. 1. Warning: comments: Changed although the parent did not show it (" in shown


def test_another_community_in_the_same_warehouse_is_another_matter(community: Community) -> None:
    community.runs(1)

    assert "Nothing was synced yet. Run: ideas-pipeline sync" in community.status(IDEAS_COMMUNITY="other")


def test_piped_no_line_is_cut(community: Community) -> None:
    community.runs(1)
    done = ideas_pipeline("status", folder=community.folder, **CONFIGURED)

    assert done.returncode == 0
    assert done.stdout.startswith("All is well: ")
    assert "\x1b" not in done.stdout
