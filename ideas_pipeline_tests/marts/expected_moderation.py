"""Expected moderation mart, from the source's tables: excluded rows, and values that the source does not report."""

from __future__ import annotations

from collections.abc import Iterator

from ideas_pipeline_tests.marts.expected_ideas import Rows, percentile, ratio, seconds
from ideas_pipeline_tests.marts.facts import OUT, Facts, moment


def moderation(f: Facts) -> Rows:
    truth = f.witness.now
    banned = {key for key, row in f.people.items() if row.get("status") in OUT}
    rows = []
    for challenge in truth["challenges"]:
        ideas = {key: row for key, row in truth["ideas"].items() if row["challenge_id"] == challenge}
        delays = [
            delay
            for row in ideas.values()
            if (delay := seconds(moment(row["created_at"]), moment(row["published_at"]))) is not None
        ]
        removed = sum(row["moderation_status"] == "removed" for row in ideas.values())
        comments = [row["status"] for row in truth["comments"].values() if row["idea_id"] in ideas]
        rows.append(
            {
                "challenge_id": challenge,
                "ideas": len(ideas),
                "removed": removed,
                "removed_rate": ratio(removed, len(ideas)),
                "by_banned_people": sum(row["author_id"] in banned for row in ideas.values()),
                "counted": sum(key in f.ideas for key in ideas),
                "closed": sum(row["moderation_status"] in ("closed", "closed_comments") for row in ideas.values()),
                "pending": sum(row["approval_status"] == "pending" for row in ideas.values()),
                "rejected": sum(row["approval_status"] == "rejected" for row in ideas.values()),
                "published": sum(row["published_at"] is not None for row in ideas.values()),
                "published_later": sum(delay >= 60 for delay in delays),
                "median_delay_seconds": percentile(delays, 50),
                "p90_delay_seconds": percentile(delays, 90),
                "comments": len(comments),
                "removed_comments": comments.count("removed"),
            }
        )
    unreported = dict.fromkeys(_unreported(f))
    return [row | unreported for row in rows if row["ideas"]]


def _unreported(f: Facts) -> Iterator[str]:
    """The columns of moderation that no row of the community fills."""
    truth = f.witness.now
    reported = {
        name: {column for row in rows.values() for column in row if row[column]} for name, rows in truth.items()
    }
    if "moderation_status" not in reported["ideas"]:
        yield from ("removed", "removed_rate", "closed")
    if "approval_status" not in reported["ideas"]:
        yield from ("pending", "rejected")
    if "published_at" not in reported["ideas"]:
        yield from ("published", "published_later")
    if "status" not in reported["comments"]:
        yield "removed_comments"
    if not any(row.get("status") for row in f.people.values()):
        yield "by_banned_people"
