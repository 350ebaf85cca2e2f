"""Ideas that the other marts exclude."""

from __future__ import annotations

from ideas_pipeline_tests.marts.second_reading.arithmetic import between, nearest_rank, ratio
from ideas_pipeline_tests.marts.second_reading.community import Community, Row


def moderation(c: Community) -> list[Row]:
    ideas = c.live["ideas"]
    moderates = any(row["moderation_status"] is not None for row in ideas)
    approves = any(row["approval_status"] is not None for row in ideas)
    publishes = any(c.time(row["published_at"]) for row in ideas)
    judges = any(row["status"] not in (None, "erased") for row in c.all["users"])
    comments = c.live["comments"]
    judges_comments = any(row["status"] is not None for row in comments)
    rows = []
    for challenge in {row["challenge_id"] for row in ideas}:
        here = [row for row in ideas if row["challenge_id"] == challenge]
        ids = {row["id"] for row in here}
        written = [row for row in comments if row["idea_id"] in ids]
        removed = sum(row["moderation_status"] == "removed" for row in here)
        published = [row for row in here if c.time(row["published_at"])]
        delays = [
            found for row in published if (found := between(c.time(row["created_at"]), row["published_at"])) is not None
        ]
        rows.append(
            {
                "challenge_id": challenge,
                "ideas": len(here),
                "removed": removed if moderates else None,
                "removed_rate": ratio(removed, len(here)) if moderates else None,
                "by_banned_people": sum(row["author_id"] in c.banned for row in here) if judges else None,
                "counted": len(c.ideas_of(challenge)),
                "closed": sum(row["moderation_status"] in ("closed", "closed_comments") for row in here)
                if moderates
                else None,
                "pending": sum(row["approval_status"] == "pending" for row in here) if approves else None,
                "rejected": sum(row["approval_status"] == "rejected" for row in here) if approves else None,
                "published": len(published) if publishes else None,
                "published_later": sum(delay >= 60 for delay in delays) if publishes else None,
                "median_delay_seconds": nearest_rank(delays, 50),
                "p90_delay_seconds": nearest_rank(delays, 90),
                "comments": len(written),
                "removed_comments": sum(row["status"] == "removed" for row in written) if judges_comments else None,
            }
        )
    return rows
