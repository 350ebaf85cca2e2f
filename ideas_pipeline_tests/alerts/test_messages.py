from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.alerts.messages import FailedRun, due, no_longer_overdue, overdue, runs_failed
from ideas_pipeline.sync.finding import Finding

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


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
        "What to do: correct what is named above, then launch the run again in Dagster; it goes on from there. "
        "`ideas-pipeline status` shows all findings."
    )


def test_many_failures_are_one_alert_that_is_not_long() -> None:
    alert = runs_failed("acme", [run(n, *["x" * 9999] * 9) for n in range(50)], "")

    assert alert.subject == "[acme] 50 runs failed"
    assert alert.text.count("nightly_sync failed at") == 3
    assert alert.text.count("- and 4 more") == 3
    assert "And 47 more" in alert.text
    assert len(alert.text) < 12_000


def test_an_overdue_community_is_reported_with_its_streams_and_since_when() -> None:
    late = {"votes": 40, "ideas": 50}
    finding = Finding("overdue", None, "error", "Not complete: votes.", "Rows can be missing.", "See Dagster.", late)

    alert = overdue("acme", finding)

    assert alert.subject == "[acme] not complete: votes, ideas"
    assert alert.text == (
        "Not complete: votes.\n\nWhat it means: Rows can be missing.\n\nWhat to do: See Dagster. "
        "`ideas-pipeline status` shows all findings. This alert comes once a day until everything is complete."
    )


def test_the_all_clear_says_since_when() -> None:
    alert = no_longer_overdue("acme", "Everything is new.")

    assert alert.subject == "[acme] all clear: complete again"
    assert alert.text.endswith("Everything is new.")


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("is_late", "sent", "now"),
    [
        (False, None, None),
        (True, None, "overdue"),
        (True, hours_ago(23.9), None),
        (True, hours_ago(24), "overdue"),
        (False, hours_ago(1), "over"),
    ],
)
def test_it_is_reported_once_and_again_each_day_and_when_it_is_over(
    is_late: bool, sent: datetime | None, now: str | None
) -> None:
    assert due(is_late, sent, NOW) == now
