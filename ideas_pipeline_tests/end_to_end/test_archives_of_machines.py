"""Erasure and replay if several machines keep archived pages, each on its own disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from ideas_pipeline.app import open_pipeline, open_warehouse, privacy_of, run_sync
from ideas_pipeline.archive.files import run_files
from ideas_pipeline.cli.main import main
from ideas_pipeline.privacy.privacy import Erasure
from ideas_pipeline.settings import Settings
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full, Silence
from ideas_pipeline_tests.accounts.hosts import KEY
from ideas_pipeline_tests.archive.pages import archived
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.end_to_end.test_two_hosts import settings_of

CONTRACT = contract_with({})
ELSEWHERE = "Archives on other machines cannot be reached from here and can still hold the person: "


@dataclass
class Heard(Silence):
    """What a run notes."""

    sentences: list[str] = field(default_factory=list)

    def noted(self, sentence: str) -> None:
        self.sentences.append(sentence)


@dataclass
class Machine:
    """A machine with a disk of its own."""

    settings: Settings

    def sync(self) -> list[str]:
        heard = Heard()
        with open_pipeline(self.settings, CONTRACT) as pipeline:
            run_sync(pipeline, Full(), caller="sync", progress=heard, streams=["users"])
        return heard.sentences

    def erase(self, person: str) -> Erasure:
        privacy = privacy_of(self.settings, CONTRACT)
        with open_warehouse(self.settings) as warehouse:
            privacy.begin(warehouse)
            return privacy.erase(warehouse, person)

    def others(self) -> list[str]:
        with open_warehouse(self.settings) as warehouse:
            return privacy_of(self.settings, CONTRACT).other_archives(warehouse)

    def holds(self, text: str) -> bool:
        return any(text in page.body.decode() for page in archived(self.settings.archive))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, generate("small", seed=1)) as running:
        yield running


def machine(simulator: Simulator, url: str, folder: Path) -> Machine:
    return Machine(settings_of(simulator, url, folder))


def test_an_erasure_names_the_archives_that_it_cannot_reach_until_they_are_freed(
    simulator: Simulator, postgresql_url: str, tmp_path: Path
) -> None:
    person = next(iter(simulator.tables["users"]))
    one, two = (machine(simulator, postgresql_url, tmp_path / name) for name in ("one", "two"))
    one.sync()
    two.sync()
    assert one.holds(person)
    assert two.holds(person)
    (place,) = one.others()
    assert place.endswith(f":{two.settings.archive}")

    erasure = one.erase(person)
    assert not one.holds(person)
    assert two.holds(person)
    assert [left.startswith(f"{ELSEWHERE}{place}. The next sync there") for left in erasure.left] == [True]
    assert "delete its row in the table _archives" in erasure.left[0]

    assert two.sync() == []
    assert not two.holds(person)
    assert one.erase(person).left == (), "the same command again shows that nothing is left"
    assert two.erase(person).left == ()


def test_a_person_who_is_erased_elsewhere_during_an_erasure_is_not_forgotten(
    simulator: Simulator, postgresql_url: str, tmp_path: Path
) -> None:
    person, other = list(simulator.tables["users"])[:2]
    one, two = (machine(simulator, postgresql_url, tmp_path / name) for name in ("one", "two"))
    one.sync()
    two.sync()
    privacy = privacy_of(one.settings, CONTRACT)
    with open_warehouse(one.settings) as warehouse:
        privacy.begin(warehouse)
        two.erase(other)  # while the operator is asked for a confirmation
        privacy.erase(warehouse, person)
    one.sync()
    assert not one.holds(person)
    assert not one.holds(other)


def test_one_machine_rewrites_nothing_twice_and_a_removed_archive_is_not_another_machine(
    simulator: Simulator, sqlite_url: str, tmp_path: Path
) -> None:
    settings = settings_of(simulator, sqlite_url, tmp_path, token_store=tmp_path / "tokens.json", token_key=None)
    alone = Machine(settings)
    people = list(simulator.tables["users"])
    alone.sync()
    assert alone.erase(people[0]).left == ()
    before = {file: file.stat().st_mtime_ns for file in run_files(settings.archive)}
    alone.sync()
    assert {file: file.stat().st_mtime_ns for file in before} == before
    for file in settings.archive.iterdir():
        file.unlink()
    alone.sync()
    assert alone.others() == []
    assert alone.erase(people[1]).left == ()


def test_a_replay_says_which_archives_it_cannot_reach(
    simulator: Simulator, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (machine(simulator, postgresql_url, tmp_path / name) for name in ("one", "two", "three"))
    one.sync()
    two.sync()
    monkeypatch.chdir(tmp_path)
    places = ", ".join([*two.others(), *one.others()])

    replayed = replay_on(one)
    assert f"reached from here: {one.others()[0]}. Lists whose latest sweep is archived there are left" in replayed
    assert "the archive lacks the latest sweep of this list; a sync reads it" in replayed

    refused = replay_on(three)
    assert f"Nothing is archived in {three.settings.archive}." in refused
    assert f"Other machines have archives: {places}. Replay there." in refused


def replay_on(machine: Machine) -> str:
    """The output of ``ideas-pipeline replay``, on one line."""
    settings = machine.settings
    variables = {
        "IDEAS_COMMUNITY": settings.community,
        "IDEAS_STATE_DIR": str(settings.state_dir),
        "IDEAS_WAREHOUSE_URL": settings.warehouse_url.get_secret_value(),
        "IDEAS_TOKEN_STORE": "warehouse",
        "IDEAS_TOKEN_KEY": KEY,
        "IDEAS_PII_KEY": settings.pii_key.get_secret_value() if settings.pii_key else "",
    }
    outcome = CliRunner().invoke(main, ["replay", "--only", "users"], env=variables)
    return " ".join(outcome.output.split())
