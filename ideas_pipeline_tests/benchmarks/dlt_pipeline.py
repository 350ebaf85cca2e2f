"""The same lists by dlt, tuned as its documentation advises (https://dlthub.com/docs/reference/performance).

It runs in an environment of its own (``dlt_requirements.txt``). Pages come from 32 threads with keep-alive sessions;
many pages at a time are yielded as Arrow tables, which skip dlt's normalizer and are loaded in bulk by ADBC. Rows are
appended by the first run, replaced by a full read, and merged by primary key at night.

Run by itself: python -m ideas_pipeline_tests.benchmarks.dlt_pipeline BASE_URL SHAPE DATABASE_URL FOLDER STEP

    first    into empty tables
    full     everything again
    night    what changed since the last time; children: those of the ideas that changed
    whole    children: those of all ideas, since a new vote need not change its idea
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__NEXT_ITEM_MODE": "fifo",  # comments and votes need to know which ideas have changed
    "DATA_WRITER__BUFFER_MAX_ITEMS": "100000",
    "DATA_WRITER__FILE_MAX_ITEMS": "250000",  # a large list is several load jobs that run in parallel
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}

import dlt
from dlt.common.schema.typing import TWriteDispositionConfig
from dlt.destinations import postgres, sqlalchemy
from dlt.extract import DltResource

from ideas_pipeline_tests.benchmarks.dlt_tables import EMBEDDED_KEYS, tables
from ideas_pipeline_tests.benchmarks.reading import Api, Page

_BATCH = 20_000  # records
_DISPOSITIONS: dict[str, TWriteDispositionConfig] = {"first": "append", "full": "replace", "whole": "replace"}
_MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


class Run:
    """What one run of the pipeline reads.

    Args:
        api: The client.
        shape: ``children`` of each parent; anything else: flat lists.
        step: ``first``, ``full``, ``night`` or ``whole``.
        is_sqlite: Whether the database is SQLite.
    """

    def __init__(self, api: Api, shape: str, step: str, is_sqlite: bool) -> None:
        self._api = api
        self._is_flat = shape != "children"
        self._step = step
        self._is_sqlite = is_sqlite
        self._challenges: list[str] = []
        self._ideas: list[str] = []

    def resources(self) -> list[DltResource]:
        """One resource per stream. People are not read at night: they have no time of change."""
        streams = ["challenges", "users", "ideas", "comments", "votes"]
        if self._step in ("night", "whole"):
            streams.remove("users")
        return [dlt.resource(self._items(stream), name=stream) for stream in streams]

    def _items(self, stream: str) -> Iterator[Any]:
        for pages in _batches(self._pages(stream)):
            for name, table in tables(stream, pages):
                yield dlt.mark.with_hints(table, self._hints(name), create_table_variant=True)

    def _hints(self, table: str) -> Any:
        """Merge records by their id, and replace all items of a record at once."""
        key = EMBEDDED_KEYS.get(table, ("id",))
        parent = key[0] if table in EMBEDDED_KEYS else None
        disposition = _DISPOSITIONS.get(self._step, _MERGE)
        if self._is_sqlite:
            # Without an index, SQLite would look for each old row in all new ones.
            return dlt.mark.make_hints(table, write_disposition=disposition, primary_key=key, merge_key=parent)
        if parent:
            return dlt.mark.make_hints(table, write_disposition=disposition, merge_key=parent)
        return dlt.mark.make_hints(table, write_disposition=disposition, primary_key=key)

    def _pages(self, stream: str) -> Iterator[Page]:
        state = dlt.current.resource_state()
        since = state.get("latest", "") if self._step == "night" else ""
        state["latest"] = latest = since
        for page in self._read(stream, since):
            yield page
            latest = max([latest, *(record.get("updated_at") or "" for record in page.records)])
            if stream == "challenges":
                self._challenges += [record["id"] for record in page.records]
            elif stream == "ideas":
                self._ideas += [record["id"] for record in page.records if record["updated_at"] > since]
        state["latest"] = latest

    def _read(self, stream: str, since: str) -> Iterator[Page]:
        if stream in ("challenges", "users"):
            return self._api.pages(stream)
        if self._is_flat:
            return self._api.pages(stream, since or None)
        if stream == "ideas":
            return self._api.children(self._challenges, "challenges/{}/ideas")
        return self._api.children(self._ideas, f"ideas/{{}}/{stream}")


def _batches(pages: Iterator[Page]) -> Iterator[list[Page]]:
    batch: list[Page] = []
    size = 0
    for page in pages:
        batch.append(page)
        size += len(page.records)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def main(base_url: str, shape: str, database_url: str, folder: str, step: str) -> None:
    is_sqlite = database_url.startswith("sqlite")
    if is_sqlite:  # It has no schemas: the tables are in the file itself if the data set is "main". It has one writer.
        dlt.config["load.workers"] = 1
        destination, dataset = sqlalchemy(database_url, create_primary_keys=True), "main"
    else:
        destination, dataset = postgres(database_url), "community"
    pipeline = dlt.pipeline("community", destination=destination, dataset_name=dataset, pipelines_dir=folder)
    pipeline.run(Run(Api(base_url), shape, step, is_sqlite).resources(), loader_file_format="parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
