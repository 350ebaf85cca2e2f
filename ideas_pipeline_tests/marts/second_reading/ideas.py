"""Ideas: their responses and their labels."""

from __future__ import annotations

from ideas_pipeline_tests.marts.second_reading.arithmetic import between, nearest_rank, ratio
from ideas_pipeline_tests.marts.second_reading.community import Act, Community, Row
from ideas_pipeline_tests.marts.second_reading.stages import stage_age, stage_since


def idea_lifecycle(c: Community) -> list[Row]:
    admins = {row["id"] for row in c.all["users"] if row["role"] == "admin"}
    rows = []
    for idea in c.ideas.values():
        responses = responses_to(c, idea)
        adopted = ever_labelled(c, idea, "adopted")
        submitted = c.time(idea["created_at"])
        rows.append(
            {
                "idea_id": idea["id"],
                "challenge_id": idea["challenge_id"],
                "stage_id": idea["stage_id"],
                "submitted_at": submitted,
                "published_at": c.time(idea["published_at"]),
                "age_seconds": between(submitted, c.as_of),
                "stage_since": stage_since(c, idea),
                "stage_age_seconds": stage_age(c, idea),
                "responses": len(responses),
                "first_response_at": min((act.at for act in responses if act.at), default=None),
                "seconds_to_first_response": seconds_to_first(c, idea, responses),
                "seconds_to_first_admin_response": seconds_to_first(
                    c, idea, [act for act in responses if act.person in admins]
                ),
                "votes": sum(act.kind == "vote" and act.there and act.idea is idea for act in c.acts),
                "is_adopted": bool(adopted) if c.all["label_classes"] else None,
                "adopted_at": min((row["observed_from"] for row in adopted), default=None),
            }
        )
    return rows


def response_times(c: Community) -> list[Row]:
    rows = []
    for challenge in c.with_ideas:
        ideas = c.ideas_of(challenge)
        responses = [(idea, responses_to(c, idea)) for idea in ideas]
        seconds = [found for idea, of in responses if (found := seconds_to_first(c, idea, of)) is not None]
        answered = sum(bool(of) for _, of in responses)
        rows.append(
            {
                "challenge_id": challenge,
                "ideas": len(ideas),
                "answered": answered,
                "answered_rate": ratio(answered, len(ideas)),
                "median_seconds": nearest_rank(seconds, 50),
                "p90_seconds": nearest_rank(seconds, 90),
            }
        )
    return rows


def adoption(c: Community) -> list[Row]:
    rows = []
    for class_ in {row["class"] for row in c.all["label_classes"]}:
        labels = {row["label_id"] for row in c.all["label_classes"] if row["class"] == class_}
        labelled = {row["idea_id"] for row in c.live["idea_labels"] if row["label_id"] in labels}
        for challenge in c.with_ideas:
            ideas = c.ideas_of(challenge)
            ever = sum(bool(ever_labelled(c, idea, class_)) for idea in ideas)
            rows.append(
                {
                    "challenge_id": challenge,
                    "class": class_,
                    "ideas": len(ideas),
                    "ideas_ever": ever,
                    "ideas_now": sum(idea["id"] in labelled for idea in ideas),
                    "rate": ratio(ever, len(ideas)),
                }
            )
    return rows


def responses_to(c: Community, idea: Row) -> list[Act]:
    authors = c.authors(idea)
    return [
        act
        for act in c.acts
        if act.kind == "comment" and act.idea is idea and act.person not in authors and not act.row["is_author_comment"]
    ]


def seconds_to_first(c: Community, idea: Row, responses: list[Act]) -> int | None:
    first = min((act.at for act in responses if act.at), default=None)
    return between(c.time(idea["created_at"]), first)


def ever_labelled(c: Community, idea: Row, class_: str) -> list[Row]:
    """The intervals in which the idea had a label of the class."""
    labels = {row["label_id"] for row in c.all["label_classes"] if row["class"] == class_}
    return [
        row
        for row in c.all["idea_history"]
        if row["idea_id"] == idea["id"] and row["attribute"] == "label" and row["value"] in labels
    ]
