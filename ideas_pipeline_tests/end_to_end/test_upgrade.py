"""Warehouse, state folder and archive of an earlier version (see ``written_by_76066a4/README.md``) are taken over."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.folder import read_folder
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import archived
from ideas_pipeline_tests.cli.command import ideas_pipeline, settings_of
from ideas_pipeline_tests.end_to_end.test_canary import dumped

OLD = Path(__file__).parent / "written_by_76066a4"
# Of the person whom the earlier version erased.
PERSON, NAME = "u-zoe", "Zoe Erasable"
ROWS = {"challenges": 2, "users": 4, "ideas": 5, "comments": 6, "votes": 8}


class Installation:
    """A folder with what the earlier version wrote on ``engine``, in which today's commands run."""

    def __init__(self, folder: Path, engine: str, url: str, simulator: Simulator) -> None:
        self.folder = folder
        self.old = OLD / engine
        self.url = url
        self._variables = {**settings_of(simulator), "IDEAS_WAREHOUSE_URL": url, "IDEAS_ARCHIVE_DAYS": "36500"}
        shutil.copytree(self.old / "state", self.state)

    @property
    def state(self) -> Path:
        return self.folder / ".ideas"

    @property
    def archive(self) -> Path:
        return self.state / "archive" / "community"

    def restore(self, dump: str) -> None:
        """Fill the empty database from a dump."""
        script = gzip.decompress((self.old / dump).read_bytes()).decode()
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                connection.executescript(script)
        else:
            engine = sa.create_engine(self.url)
            with engine.begin() as connection:
                connection.connection.driver_connection.execute(script)
            engine.dispose()

    def run(self, *arguments: str) -> CompletedProcess[str]:
        done = ideas_pipeline(*arguments, folder=self.folder, **self._variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def live_rows(self) -> dict[str, int]:
        with Warehouse.open(self.url, "community") as warehouse, warehouse.reading() as tx:
            tables = [TABLES[name] for name in ROWS]
            counts = [tx.scalar(sa.select(sa.func.count()).select_from(t).where(tx.live(t))) for t in tables]
        return dict(zip(ROWS, counts, strict=True))

    def everything(self) -> str:
        """All that warehouse and archive hold."""
        with Warehouse.open(self.url, "community") as warehouse:
            tables = dumped(warehouse)
        return tables.decode(errors="replace") + "".join(repr(page) for page in archived(self.archive))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(load_contract(None), read_folder(OLD / "community")) as running:
        yield running


@pytest.fixture
def installation(warehouse_url: str, simulator: Simulator, tmp_path: Path) -> Installation:
    engine = "sqlite" if warehouse_url.startswith("sqlite") else "postgresql"
    return Installation(tmp_path, engine, warehouse_url, simulator)


def test_a_sync_goes_on_where_the_earlier_version_stopped(installation: Installation) -> None:
    installation.restore("warehouse.sql.gz")
    done = installation.run("sync")
    assert done.stderr.count(": complete") == len(ROWS)
    installation.run("sync", "--full")
    assert installation.live_rows() == ROWS
    kept = installation.everything()
    assert (PERSON in kept, NAME in kept, "u-linus" in kept, "Linus Specimen" in kept) == (False, False, True, True)
    assert not list(installation.state.rglob("*.zst"))


def test_a_replay_rebuilds_the_tables_from_the_earlier_archive(installation: Installation) -> None:
    installation.run("replay")
    assert installation.live_rows() == ROWS
    kept = installation.everything()
    assert (PERSON in kept, NAME in kept, "Linus Specimen" in kept) == (False, False, True)


def test_another_person_is_erased_from_all_that_the_earlier_version_wrote(installation: Installation) -> None:
    installation.restore("warehouse.sql.gz")
    done = installation.run("erase", "--user", "u-linus", "--yes")
    assert "Archived pages changed: " in done.stdout
    installation.run("sync", "--full")
    installation.run("replay")
    assert installation.live_rows() == ROWS
    kept = installation.everything()
    assert [word for word in (PERSON, NAME, "u-linus", "Linus Specimen") if word in kept] == []


def test_a_backup_from_before_an_erasure_brings_nobody_back(installation: Installation) -> None:
    installation.restore("backup.sql.gz")
    shutil.rmtree(installation.archive)
    shutil.copytree(installation.old / "archive_before" / "community", installation.archive)
    installation.run("sync")
    kept = installation.everything()
    assert (PERSON in kept, NAME in kept, "Linus Specimen" in kept) == (False, False, True)
    installation.run("replay")
    assert installation.live_rows() == ROWS
    kept = installation.everything()
    assert (PERSON in kept, NAME in kept) == (False, False)


def test_a_lost_state_folder_brings_nobody_back_either(installation: Installation) -> None:
    """The warehouse has the list, too; only the key must be kept."""
    installation.restore("warehouse.sql.gz")
    (installation.state / "suppressed.json").unlink()
    installation.run("sync", "--full")
    kept = installation.everything()
    assert (PERSON in kept, NAME in kept) == (False, False)
    assert "u-zoe" not in (installation.state / "suppressed.json").read_text()


@pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
def test_the_owner_writes_a_file_of_communities(installation: Installation, simulator: Simulator) -> None:
    installation.restore("warehouse.sql.gz")
    installation.run("sync")
    before = {file: file.read_bytes() for file in installation.state.iterdir() if file.suffix in (".key", ".json")}
    assert {file.name for file in before} >= {"pii.key", "suppressed.json", "tokens.json"}
    keys = ("client_id", "client_secret", "api_base_url", "warehouse_url", "archive_days")
    own = "".join(f"    {key}: {{env: IDEAS_{key.upper()}}}\n" for key in keys)
    (installation.folder / "ideas_pipeline.yaml").write_text(f"communities:\n  other:\n  community:\n{own}")

    done = installation.run("sync", "--full", "--community", "community")

    assert simulator.counters.logins == 1
    assert "Nothing changed" in done.stdout
    assert installation.live_rows() == ROWS
    assert {file: file.read_bytes() for file in before} == before
    assert not (installation.state / "community").exists()
    kept = installation.everything()
    assert (PERSON in kept, NAME in kept, "Linus Specimen" in kept) == (False, False, True)
