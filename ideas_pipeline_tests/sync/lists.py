"""Nights of a community whose lists a test writes down: all of the engine, without an API, a socket or JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import IdeasApiError, Unavailable
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Page, Position
from ideas_pipeline.ideas_api.references import NO_ROWS, KnownRows
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.sync.run import Full, Mode, Run, Silence, StreamResult, SyncOptions
from ideas_pipeline.sync.source import Source
from ideas_pipeline.sync.stream import sync_stream
from ideas_pipeline.warehouse.absences import Absence, absences
from ideas_pipeline.warehouse.runs import RunStart, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.warehouse.batches import held, live, load, night
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

ADDRESS = "https://api.example.com/v2/"
NO_ANSWER = Unavailable("no answer")
LISTED = {"c1": "abc", "c2": "xyz"}
HOMES = {id_: scope for scope, ids in LISTED.items() for id_ in ids}


class Lists(Source):
    """The lists of a community, each as one page with its total.

    Attributes:
        lists: the records by stream and scope, each as its columns. A list that is not there is empty. An error is
            raised, and a status is how the API refuses the list.
        before_page: called with the stream and the scope before a page is read: the place to change lists.
    """

    def __init__(self, warehouse: Warehouse, folder: Path, contract: Contract | None = None) -> None:
        contract = contract or contract_with({"limits": {"concurrency": 1}})
        home = FileHome(folder / "tokens.json", folder)
        client = IdeasApi.connect(contract, ADDRESS, Credentials("id", "secret"), home)
        super().__init__(client, Privacy(contract, warehouse.community))
        self.lists: dict[tuple[str, str], list[dict[str, Any]] | IdeasApiError | int] = {}
        self.before_page: Callable[[str, str], object] = lambda stream, scope: None
        self._warehouse = warehouse

    def page(
        self,
        stream: str,
        scope: str,
        position: Position,
        bounds: Bounds = ALL,
        known: KnownRows = NO_ROWS,
        seen: Collection[str] = (),
    ) -> Page:
        self.before_page(stream, scope)
        rows = self.lists.get((stream, scope), [])
        if isinstance(rows, IdeasApiError):
            raise rows
        if isinstance(rows, int):
            return Page([], None, None, requests=1, received_at=0, position=position, refused=rows)
        records = [self._record(stream, scope, dict(row), known) for row in rows]
        return Page(records, len(records), None, requests=1, received_at=0, position=position)

    def look(self, stream: str, scope: str, position: Position) -> Page:
        raise NO_ANSWER

    def _record(self, stream: str, scope: str, row: dict[str, Any], known: KnownRows) -> Record:
        spec = self.contract.streams[stream]
        if not spec.each:
            return Record(row, {})
        named = row.get(spec.each.placeholder)
        belongs_to = named if named in known else scope
        return Record({**row, spec.each.placeholder: belongs_to}, {}, named=named)

    def night(
        self,
        number: int,
        *streams: str,
        mode: Mode = Full(),  # noqa: B008 - it is frozen
        percent: float = 10,
        distrust: str | None = None,
    ) -> StreamResult:
        """Sync these streams on a night, as the run ``night-<number>``. Returns the result of the last one.

        The streams from which their lists come count as complete, whether they are synced or not.
        """
        options = SyncOptions(clock=lambda: night(number), mass_absence_percent=percent)
        run = Run(self, self._warehouse, f"night-{number}", mode, options, night(number), distrust, progress=Silence())
        call_writing(self._warehouse, start_run, RunStart(run.run_id, ADDRESS, night(number), mode=mode.name))
        for parent in {p for stream in streams for p in self.contract.depends_on(stream)} - set(streams):
            call_writing(self._warehouse, start_stream, run.run_id, parent, night(number))
            call_writing(self._warehouse, finish_stream, run.run_id, parent, night(number), "complete", None)
        return [sync_stream(run, stream) for stream in streams][-1]

    def absent(self, stream: str) -> dict[str, Absence]:
        """The absences of a stream that are not decided, or held, by id."""
        return call_reading(self._warehouse, absences, stream)


def rows(ids: Iterable[object], **columns: Any) -> list[dict[str, Any]]:
    """Records with these ids, and the same values in other columns."""
    return [{"id": str(id_), **columns} for id_ in ids]


@pytest.fixture
def community(warehouse: Warehouse, tmp_path: Path) -> Lists:
    """Two challenges with three ideas each, which the first night has read."""
    lists = Lists(warehouse, tmp_path)
    lists.lists["challenges", ""] = rows(["c1", "c2"])
    for scope, ids in LISTED.items():
        lists.lists["ideas", scope] = rows(ids)
    assert lists.night(1, "challenges", "ideas").verdict == "complete"
    return lists


def counted(warehouse: Warehouse, on: int, **comment_counts: int) -> None:
    """The ideas, each with the number of comments that it says it has, as night ``on`` read them."""
    ideas = [{"id": i, "challenge_id": "c1", "_scope": "c1", "comment_count": n} for i, n in comment_counts.items()]
    load(warehouse, "ideas", ideas, on=on)


def names(warehouse: Warehouse, table: str) -> str:
    """The ids of the live rows."""
    return "".join(id_ for (id_,) in live(warehouse, table))


def homes(warehouse: Warehouse) -> dict[str, str]:
    """The challenge of each live idea."""
    return {row["id"]: row["challenge_id"] for row in held(warehouse, "ideas") if row["_deleted_at"] is None}
