"""A small API of a test's own, on a real socket: a login, and whatever lists the test makes up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.sync.run import Full, RunResult
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync_with
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer, serving

Record = dict[str, Any]
Lists = Mapping[str, Sequence[Record] | Callable[[str], Sequence[Record] | Answer]]

LOGIN = {"auth_code": "c", "access_token": "a", "refresh_token": "r", "expires_in": 3600}


@contextmanager
def small_api(lists: Lists) -> Iterator[ScriptedServer]:
    """Serve lists by path, page by page with their total. A path can be a pattern, whose group the list is made of.

    Lists of streams that are not among them are empty. What is an answer already is sent as it is.
    """

    def answer(request: Received) -> Answer:
        if request.method == "POST":
            return Answer(body=LOGIN)
        path = request.path.removeprefix("/v2/")
        if path == "users/me":
            return Answer(status=404)
        rows = _rows(lists, path)
        if isinstance(rows, Answer):
            return rows
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 100))
        start = int(request.query.get("offset", (page - 1) * size))
        return Answer(body={"data": rows[start : start + size], "total": len(rows)})

    with serving(answer) as server:
        yield server


def _rows(lists: Lists, path: str) -> Sequence[Record] | Answer:
    for pattern, rows in lists.items():
        if found := re.fullmatch(pattern, path):
            return rows(found[1]) if callable(rows) else rows
    return []


def read(
    server: ScriptedServer, warehouse: Warehouse, folder: Path, contract: Contract | None = None, **options: Any
) -> RunResult:
    """One sync from the server, full unless another mode is asked for."""
    api = api_of(server, folder, contract or contract_with({}))
    return sync_with(api, warehouse, **{"mode": Full()} | options)


def api_of(server: ScriptedServer, folder: Path, contract: Contract) -> IdeasApi:
    """A client of the server."""
    return IdeasApi.connect(contract, server.base_url, Credentials("id", "secret"), FileHome(folder / "t.json", folder))


def column(warehouse: Warehouse, name: str) -> dict[str, Any]:
    """A column (``ideas.challenge_id``) of the live rows, by id."""
    table = TABLES[name.split(".")[0]]
    with warehouse.engine.connect() as connection:
        query = sa.select(table.c.id, table.c[name.split(".")[1]]).where(table.c._deleted_at.is_(None))
        return {row[0]: row[1] for row in connection.execute(query)}
