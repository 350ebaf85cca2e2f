"""Two machines without a common disk sync one community: settings, and a login that they share in the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.app import open_client, open_pipeline, run_sync
from ideas_pipeline.communities import load_settings
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.settings import Settings, check_values
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full, Silence
from ideas_pipeline_tests.accounts.hosts import KEY
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

CONTRACT = contract_with({})


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, generate("small", seed=1)) as running:
        yield running


def settings_of(simulator: Simulator, url: str, folder: Path, **changed: Any) -> Settings:
    return Settings.model_validate(
        {
            "community": "acme",
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "api_base_url": simulator.base_url,
            "warehouse_url": url,
            "token_store": "warehouse",
            "token_key": KEY,
            "pii_key": "a key for tests alone",
            "state_dir": folder,
        }
        | changed
    )


def sync(settings: Settings) -> str:
    with open_pipeline(settings, CONTRACT) as pipeline:
        return run_sync(pipeline, Full(), caller="sync", progress=Silence(), streams=["challenges"]).verdict


def test_two_machines_log_in_once_and_leave_no_tokens_on_their_disks(
    simulator: Simulator, postgresql_url: str, tmp_path: Path
) -> None:
    for host in ("one", "two"):
        assert sync(settings_of(simulator, postgresql_url, tmp_path / host)) == "complete"
    assert simulator.counters.logins == 1
    left = {file.name for file in tmp_path.rglob("*") if file.is_file() and "archive" not in file.parts}
    assert left <= {"suppressed.json"}


def test_a_machine_that_kept_its_state_in_files_goes_on_without_a_login(
    simulator: Simulator, postgresql_url: str, tmp_path: Path
) -> None:
    before = settings_of(simulator, postgresql_url, tmp_path, token_store=tmp_path / "tokens.json", token_key=None)
    assert sync(before) == "complete"
    assert sync(settings_of(simulator, postgresql_url, tmp_path)) == "complete"
    assert simulator.counters.logins == 1
    assert not (tmp_path / "tokens.json").exists()


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("IDEAS_TOKEN_KEY", "IDEAS_TOKEN_KEY, which encrypts the tokens in it, is not set. Make a key with: python -c"),
        ("IDEAS_PII_KEY", "IDEAS_PII_KEY is not set, so each machine would make a key of its own. Set it: to the con"),
        ("IDEAS_WAREHOUSE_URL", "the warehouse is not a PostgreSQL database. Correct IDEAS_WAREHOUSE_URL"),
    ],
)
def test_what_the_database_needs_is_asked_for(
    variable: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "IDEAS_TOKEN_STORE": "warehouse",
        "IDEAS_TOKEN_KEY": KEY,
        "IDEAS_PII_KEY": "a key for tests alone",
        "IDEAS_WAREHOUSE_URL": "postgresql+psycopg://ideas:canary@localhost/ideas",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().account_database == given["IDEAS_WAREHOUSE_URL"]
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert sentence in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("key", ["short", "ä" * 44, KEY[:-2], f"{KEY},"])
def test_a_key_that_is_not_a_fernet_key_is_refused_without_being_shown(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDEAS_TOKEN_KEY", key)
    with pytest.raises(SettingsError, match="IDEAS_TOKEN_KEY must be a Fernet key") as caught:
        load_settings()
    assert key not in str(caught.value)


def test_the_store_can_be_a_database_of_its_own_and_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://ideas:canary@localhost/accounts"
    settings = Settings.model_validate({"token_store": url, "token_key": f"{KEY}, {KEY}"})
    assert settings.account_database == url
    assert settings.token_keys() == [KEY, KEY]
    assert "canary" not in repr(settings)
    assert KEY not in repr(settings)
    with pytest.raises(SettingsError, match="IDEAS_TOKEN_STORE must be the path of a file, warehouse, or a URL"):
        check_values({"IDEAS_TOKEN_STORE": "mysql://ideas:canary@localhost/accounts"})


def test_a_client_needs_the_key(simulator: Simulator, postgresql_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="IDEAS_TOKEN_KEY"):
        open_client(settings_of(simulator, postgresql_url, tmp_path, token_key=None), CONTRACT)
