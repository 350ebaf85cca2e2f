from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.alerts.messages import (
    FailedRun,
    due,
    last_proven,
    late_streams,
    no_longer_stale,
    runs_failed,
    stale,
)

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
LIMIT = timedelta(hours=36)
STREAMS = ["ideas", "votes"]


def run(number: int, *reasons: str) -> FailedRun:
    return FailedRun(f"{number}aaaabbbb-cccc", "nightly_sync", datetime(2026, 11, 23, 2, 4, tzinfo=UTC), reasons)


def test_a_failure_says_what_and_why_what_it_means_and_what_to_do() -> None:
    alert = runs_failed("acme", [run(1, "votes: the API\nrefused.", "ideas: it too.")], "Everything is old.")

    assert alert.subject == "[acme] nightly_sync failed"
    assert alert.text == (
        "nightly_sync failed at 2026-11-23 02:04 UTC (run 1aaaabbb):\n"
        "- votes: the API refused.\n"
        "- ideas: it too.\n\n"
        "What it means: what these runs had read is loaded, the rest is as old as before. Everything is old.\n\n"
        "What to do: mend what is named above, then launch it again in Dagster; it goes on from there. "
        "`ideas-pipeline status` says how things stand."
    )


def test_many_failures_are_one_alert_that_is_not_long() -> None:
    alert = runs_failed("acme", [run(n, *["x" * 9999] * 9) for n in range(50)], "")

    assert alert.subject == "[acme] 50 runs failed"
    assert alert.text.count("nightly_sync failed at") == 3
    assert alert.text.count("- and 4 more") == 3
    assert "And 47 more" in alert.text
    assert len(alert.text) < 12_000


def test_staleness_names_the_streams_and_since_when() -> None:
    alert = stale("acme", {"votes": NOW - timedelta(hours=40), "ideas": None}, 36, NOW)

    assert alert.subject == "[acme] not proven complete: votes, ideas"
    assert (
        "within the last 36 hours. Last proven:\n- votes: 2026-11-21 15:00 UTC, 1 day ago\n- ideas: never" in alert.text
    )
    assert "What to do: see in Dagster whether the schedules and the daemon run" in alert.text


def test_the_all_clear_says_since_when() -> None:
    alert = no_longer_stale("acme", "Everything is new.")

    assert alert.subject == "[acme] all clear: proven complete again"
    assert alert.text.endswith("Everything is new.")


def test_everything_is_proven_since_its_oldest_part_is() -> None:
    proven = {"ideas": NOW - timedelta(hours=5), "votes": NOW - timedelta(hours=4)}

    assert last_proven(STREAMS, proven, NOW) == "Everything was last proven complete 2026-11-23 02:00 UTC, 5 hours ago."
    assert last_proven(STREAMS, {"ideas": NOW}, NOW) == "Never proven complete: votes."


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def test_each_stream_is_late_for_itself() -> None:
    proven = {"ideas": hours_ago(37), "votes": hours_ago(35)}

    assert late_streams(["ideas", "votes"], proven, hours_ago(999), LIMIT, NOW) == {"ideas": hours_ago(37)}


def test_what_was_never_proven_is_late_some_time_after_the_warehouse_was_created() -> None:
    assert late_streams(["ideas"], {}, hours_ago(35), LIMIT, NOW) == {}
    assert late_streams(["ideas"], {}, hours_ago(37), LIMIT, NOW) == {"ideas": None}


@pytest.mark.parametrize(
    ("is_late", "said", "now"),
    [
        (False, None, None),
        (True, None, "stale"),
        (True, hours_ago(23.9), None),
        (True, hours_ago(24), "stale"),
        (False, hours_ago(1), "over"),
    ],
)
def test_it_is_said_once_and_again_each_day_and_when_it_is_over(
    is_late: bool, said: datetime | None, now: str | None
) -> None:
    assert due(is_late, said, NOW) == now
