"""A community as the lists of its API: each record is encoded once, so that serving it costs little."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from ideas_pipeline.simulator.community import SIZES, Size, generate
from ideas_pipeline.simulator.shape import Quirks, Shape
from ideas_pipeline.simulator.truth import Index
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

COMMUNITIES = {
    "tiny": Size(challenges=2, ideas=100, comments=300, votes=900, users=120),
    "S": SIZES["medium"],
    "L/5": Size(challenges=40, ideas=10_000, comments=80_000, votes=200_000, users=10_000),
    "L": SIZES["large"],
    "2L": Size(challenges=400, ideas=100_000, comments=800_000, votes=2_000_000, users=100_000),
}
STREAMS = ("challenges", "users", "ideas", "comments", "votes")
CHANGED = 0.01
"""The share of the ideas that a changed night changes."""

_PARENTS = {"ideas": ("challenges", "challenge_id"), "comments": ("ideas", "idea_id"), "votes": ("ideas", "idea_id")}
_NEWCOMER = "1000000001"


class Record(NamedTuple):
    """A record of the API.

    Attributes:
        parent: The id of its parent; empty if its stream has none.
        changed_at: When it last changed, ISO 8601 in UTC; empty if it does not say.
        body: Its JSON.
    """

    parent: str
    changed_at: str
    body: bytes


class Community:
    """The lists of a community of ``size``: whole streams, and the children of each parent."""

    def __init__(self, size: Size) -> None:
        self._original = _rendered(size)
        self.reset()

    def reset(self) -> None:
        """Undo all changes."""
        self.streams = {name: dict(records) for name, records in self._original.items()}
        self._list()

    def page(self, path: str, start: int, size: int, since: str | None) -> tuple[list[bytes], int]:
        """The bodies of a page's records, and the total of the list.

        Args:
            path: Such as ``votes`` or ``ideas/718775/votes``.
            start: The position of its first record in the list, from 0.
            size: The most records of a page.
            since: Only records that changed at this moment or later, ISO 8601 in UTC.

        Raises:
            KeyError: The API has no such list.
        """
        records = self._lists[path]
        if since is not None:
            if (path, since) not in self._recent:
                self._recent[path, since] = [record for record in records if record.changed_at >= since]
            records = self._recent[path, since]
        return [record.body for record in records[start : start + size]], len(records)

    def counts(self) -> dict[str, int]:
        """The number of records of each stream."""
        return {name: len(records) for name, records in self.streams.items()}

    def change(self, share: float, now: datetime) -> None:
        """Edit some ideas with all their comments and votes; a newcomer comments and votes on each of them.

        Args:
            share: The share of ideas to change.
            now: The time of the changes, timezone-aware.
        """
        step = round(1 / share)
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        chosen = set(list(self.streams["ideas"])[step // 2 :: step])
        for name in ("comments", "votes"):
            records = self.streams[name]
            for key, record in records.items():
                if record.parent in chosen:
                    records[key] = _edited(record, stamp)
        for number, idea in enumerate(sorted(chosen)):
            self._respond(idea, 900_000_000 + number, stamp)
        person = {"id": _NEWCOMER, "display_name": "New Comer", "role": "user", "status": "active", "joined_at": stamp}
        self.streams["users"][_NEWCOMER] = Record("", "", orjson.dumps(person))
        self._list()

    def _respond(self, idea: str, key: int, stamp: str) -> None:
        """Edit an idea, and add a comment and a vote of the newcomer to it."""
        streams = self.streams
        record = orjson.loads(streams["ideas"][idea].body)
        counts = {name: record[name] + 1 for name in ("comment_count", "vote_count")}
        streams["ideas"][idea] = _edited(streams["ideas"][idea], stamp, title=f"{record['title']} (edited)", **counts)
        times = {"created_at": stamp, "updated_at": stamp}
        comment = {"id": str(key), "idea_id": idea, "author": {"id": _NEWCOMER}, "body": "One more", **times}
        vote = {"id": str(key), "idea_id": idea, "user": {"id": _NEWCOMER}, "stage_id": record["stage_id"], **times}
        streams["comments"][str(key)] = Record(idea, stamp, orjson.dumps({**comment, "status": "visible"}))
        streams["votes"][str(key)] = Record(idea, stamp, orjson.dumps({**vote, "voting_type": "thumbs", "value": 1.0}))

    def _list(self) -> None:
        self._recent: dict[tuple[str, str], list[Record]] = {}
        self._lists: dict[str, list[Record]] = {}
        for name, records in self.streams.items():
            self._lists[name] = list(records.values())
            if name in _PARENTS:
                parents = _PARENTS[name][0]
                of: dict[str, list[Record]] = {parent: [] for parent in self.streams[parents]}
                for record in records.values():
                    of[record.parent].append(record)
                self._lists |= {f"{parents}/{parent}/{name}": children for parent, children in of.items()}


def _edited(record: Record, stamp: str, **changes: Any) -> Record:
    body = orjson.dumps(orjson.loads(record.body) | changes | {"updated_at": stamp})
    return Record(record.parent, stamp, body)


def _rendered(size: Size) -> dict[str, dict[str, Record]]:
    """Generate a community whose rows all say when they last changed, and render it as the simulator does."""
    tables = generate(size, 1)
    for name in _PARENTS:
        for row in tables[name].values():
            row["updated_at"] = row["updated_at"] or row["created_at"]
    flat = contract_with({"streams": {name: {"path": name, "each": None} for name in _PARENTS}})
    shape, index = Shape(flat, Quirks()), Index(tables)

    def records(name: str) -> Iterator[tuple[str, Record]]:
        column = _PARENTS[name][1] if name in _PARENTS else ""
        for key, row in tables[name].items():
            body = orjson.dumps(shape.record(name, key, index))
            yield key, Record(str(row.get(column, "")), str(row.get("updated_at") or ""), body)

    return {name: dict(records(name)) for name in STREAMS}
