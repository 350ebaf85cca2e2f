"""A run against a server whose answers cost too much: each ends its list in a sentence, and the others are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.end_to_end.small_api import LOGIN, column, read
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, serving

LIMITS = {
    "attempts": 1,
    "requests_per_second": None,
    "body_megabytes": 1,
    "json_values": 10_000,
    "page_records": 1_000,
    "pages": 100,
}


def page(*records: Any, total: object = None) -> bytes:
    return json.dumps({"data": records, "total": len(records) if total is None else total}).encode()


def endless(request: Received) -> bytes:
    return page({"id": f"endless-{request.query.get('page')}"}, total="many")


# The answer for the ideas of the challenge 2, and the reason why it is incomplete.
HOSTILE: dict[str, tuple[Callable[[Received], bytes], str]] = {
    "a large body": (lambda _: page({"id": 1, "title": "a" * (2 << 20)}), "larger than 1 MB"),
    "many values": (lambda _: page({"id": 1, "tags": [1] * 20_000}), "more than 10,000 values"),
    "many records": (lambda _: page(*[1] * 2_000), "the page has 2,000 records"),
    "deep JSON": (lambda _: b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested more than 1,000 levels deep"),
    "pages without end": (endless, "did not end within 100 pages"),
    "a total of a billion": (
        lambda r: page(*_one(r), total=10**9),
        "the API's total is 1000000000, but 1 records came",
    ),
    "a total without end": (lambda r: page(*_one(r), total=10**300), "but 1 records came"),
}


def _one(request: Received) -> list[dict[str, Any]]:
    return [{"id": "only"}] if request.query.get("page", "1") == "1" else []


@pytest.mark.parametrize(("hostile", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_list_is_incomplete_and_the_others_are_read(
    hostile: Callable[[Received], bytes], reason: str, tmp_path: Path
) -> None:
    def answer(request: Received) -> Answer:
        if request.method == "POST":
            return Answer(body=LOGIN)
        path = request.path.removeprefix("/v2/")
        if path == "challenges/2/ideas":
            return Answer(body=hostile(request))
        rows = {"challenges": [{"id": n, "title": "x"} for n in (1, 2, 3)], "challenges/1/ideas": [{"id": "a"}]}
        rows["challenges/3/ideas"] = [{"id": "b"}]
        on_page = rows.get(path, []) if request.query.get("page", "1") == "1" else []
        return Answer(status=200, body=page(*on_page, total=len(rows.get(path, []))))

    with serving(answer) as server, Warehouse.open(f"sqlite:///{tmp_path}/w.db", "c") as warehouse:
        result = read(server, warehouse, tmp_path, contract_with({"limits": LIMITS}))
        assert {"a", "b"} <= column(warehouse, "ideas.challenge_id").keys()
        asked = [request for request in server.requests if request.path == "/v2/challenges/2/ideas"]
    ideas = next(stream for stream in result.streams if stream.stream == "ideas")
    assert ideas.verdict != "complete"
    assert reason in str(ideas.reason)
    assert len(asked) < 600
