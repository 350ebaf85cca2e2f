"""A pipeline that follows a simulated community, with the state of the source at each sync."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Row, Tables
from ideas_pipeline.tables.community import METADATA
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.absences import held
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import paged, sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 200, "total": {"body": ["total"]}})


@dataclass(frozen=True)
class Look:
    """One sync: its start and end, and the tables of the source meanwhile."""

    began: datetime
    ended: datetime
    tables: Tables


class Witness:
    """What the pipeline could see, according to the source.

    Only the exact moment within a sync when something was noticed comes from the warehouse.
    """

    def __init__(self, engine: sa.Engine, looks: list[Look]) -> None:
        self.looks = looks
        self.now = looks[-1].tables
        self._observed: dict[str, set[datetime]] = {}
        history = IDEA_HISTORY.c
        with engine.connect() as connection:
            for column in (history.observed_from, history.observed_to):
                query = sa.select(history.idea_id, column).where(history.community == COMMUNITY, column.is_not(None))
                for idea, at in connection.execute(query):
                    self._observed.setdefault(idea, set()).add(utc(at))

    def observed(self, idea: str, look: Look) -> datetime:
        """The moment within the sync ``look`` when a change of the idea was noticed."""
        within = [at for at in self._observed.get(idea, ()) if look.began <= at <= look.ended]
        assert len(within) == 1, f"idea {idea} changed before {look.began}: noticed {within}"
        return within[0]

    def cleared(self, table: str, clears: str) -> Iterator[Row]:
        """The last state of rows that vanished between two syncs because a stage of the challenge ``clears``."""
        for before, after in zip(self.looks, self.looks[1:], strict=False):
            started = {
                stage["challenge_id"]
                for stage in after.tables["challenge_stages"].values()
                if stage[clears]
                and stage["starts_at"]
                and before.ended < datetime.fromisoformat(stage["starts_at"]) <= after.began
            }
            for key, row in before.tables[table].items():
                idea = after.tables["ideas"].get(row["idea_id"])
                if key not in after.tables[table] and idea and idea["challenge_id"] in started:
                    yield row

    def last_known(self, table: str) -> dict[str, Row]:
        """Every row that ever existed, in its last state."""
        return {key: row for look in self.looks for key, row in look.tables[table].items()}


class Follower:
    """A simulator, and a warehouse that is synced with it."""

    def __init__(self, simulator: Simulator, warehouse: Warehouse, folder: Path) -> None:
        self.simulator = simulator
        self.engine = warehouse.engine
        self.looks: list[Look] = []
        self._warehouse = warehouse
        self._folder = folder

    def sync(self) -> None:
        """One full sync of a community that does not change meanwhile."""
        began = datetime.now(UTC)
        result = sync(self.simulator, self._warehouse, self._folder)
        assert result.verdict == "complete", result
        assert call_reading(self._warehouse, held) == []
        self.looks.append(Look(began, datetime.now(UTC), copy.deepcopy(self.simulator.tables)))

    def witness(self) -> Witness:
        return Witness(self.engine, self.looks)


@contextmanager
def following(tables: Tables, warehouse: Warehouse, folder: Path) -> Iterator[Follower]:
    """A follower of the community, after its first sync."""
    with Simulator(CONTRACT, tables) as simulator:
        follower = Follower(simulator, warehouse, folder)
        follower.sync()
        yield follower


def copy_tables(source: sa.Engine, target: sa.Engine) -> None:
    """Copy every row except marts from the warehouse at ``source`` into the new one at ``target``."""
    with source.connect() as reader, target.begin() as writer:
        for table in METADATA.sorted_tables:
            rows = [
                {name: utc(value) if isinstance(value, datetime) else value for name, value in row.items()}
                for row in reader.execute(sa.select(table)).mappings()
            ]
            writer.execute(sa.delete(table))
            if rows:
                writer.execute(sa.insert(table), rows)
