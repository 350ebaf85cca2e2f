from __future__ import annotations

import stat

import pytest

from ideas_pipeline.cli.init import init
from ideas_pipeline.communities import load_settings
from ideas_pipeline.settings import Settings
from ideas_pipeline_tests.cli.command import COMMAND, environment, ideas_pipeline
from ideas_pipeline_tests.cli.terminal import dialogue
from ideas_pipeline_tests.processes import run

pytestmark = pytest.mark.usefixtures("no_settings")


def test_it_writes_a_file_for_its_owner_alone_and_says_where_the_credentials_come_from(tmp_path):
    done = ideas_pipeline("init", "--region", "eu", "--community", "acme", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    for words in ("Go to profile > API", "Apply for a new API client", "endpoint field empty", "generate password"):
        assert words in done.stdout
    assert "Fill in IDEAS_CLIENT_ID, IDEAS_CLIENT_SECRET there, without the leading #. Then run:" in done.stdout


def test_the_file_loads_as_it_was_asked_for(tmp_path, monkeypatch):
    options = ["--region", "eu", "--community", "acme", "--client-id", "it's #1 \\ here"]
    url = "postgresql+psycopg://me@host/db"
    assert ideas_pipeline("init", *options, "--warehouse-url", url, folder=tmp_path).returncode == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "s")
    settings = load_settings()
    assert (settings.community, settings.api_region, settings.client_id) == ("acme", "EU", "it's #1 \\ here")
    assert settings.warehouse_url.get_secret_value() == url


def test_every_setting_is_in_the_file(tmp_path):
    ideas_pipeline("init", folder=tmp_path)
    text = (tmp_path / ".env").read_text()
    assert [field for field in Settings.model_fields if f"IDEAS_{field.upper()}=" not in text] == []


def test_it_overwrites_a_file_only_on_request(tmp_path):
    (tmp_path / ".env").write_text("IDEAS_COMMUNITY=mine\n" + "# mine\n" * 200)
    (tmp_path / ".env").chmod(0o644)
    refused = ideas_pipeline("init", folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: .env exists already.")
    assert "mine" in (tmp_path / ".env").read_text()
    assert ideas_pipeline("init", "--force", folder=tmp_path).returncode == 0
    assert "mine" not in (tmp_path / ".env").read_text()
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / ".env").mkdir()
    done = ideas_pipeline("init", "--force", folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "Error: .env cannot be written: Is a directory.\n")


def test_on_a_full_disk_the_file_that_is_there_stays(tmp_path):
    (tmp_path / ".env").write_text("IDEAS_CLIENT_SECRET=canary\n")
    # No file may grow: what a disk says that is full, but with another word.
    command = ["bash", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "-", *COMMAND, "init", "--force"]
    done = run(command, cwd=tmp_path, env=environment())
    assert (done.returncode, done.stderr) == (2, "Error: .env cannot be written: File too large.\n")
    assert (tmp_path / ".env").read_text() == "IDEAS_CLIENT_SECRET=canary\n"
    assert [file.name for file in tmp_path.iterdir()] == [".env"]


def test_an_unknown_region_is_a_usage_error_that_lists_those_known(tmp_path):
    done = ideas_pipeline("init", "--region", "MARS", folder=tmp_path)
    assert done.returncode == 2
    assert "AU, EU, UK, US" in done.stderr
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--community", "our community"], "IDEAS_COMMUNITY must be a name of letters, digits, _ and -"),
        (["--base-url", "http://me:canary@api.example.com/"], "IDEAS_API_BASE_URL must be a URL such as https://"),
        (["--warehouse-url", "canary.db"], "IDEAS_WAREHOUSE_URL must be a database URL such as sqlite:///path.db"),
    ],
)
def test_a_value_that_would_be_refused_later_is_refused_at_once(options, sentence, tmp_path):
    done = ideas_pipeline("init", *options, folder=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert not (tmp_path / ".env").exists()


def test_on_a_terminal_what_is_typed_wrong_is_asked_for_again(tmp_path, monkeypatch):
    shown = dialogue("init", typed=["our community", "acme", "MARS", "EU", "", ""], folder=tmp_path)
    assert "must be a name of letters, digits" in shown
    assert "'MARS' is not one of" in shown
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDEAS_CLIENT_ID", "a")
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "b")
    assert (load_settings().community, load_settings().api_region) == ("acme", "EU")


def test_a_value_that_the_file_cannot_hold_is_refused_rather_than_changed(tmp_path):
    done = ideas_pipeline("init", "--client-id", "a${HOME}b", folder=tmp_path)
    assert done.returncode == 2
    assert "IDEAS_CLIENT_ID" in done.stderr
    assert "in the environment instead" in done.stderr
    assert not (tmp_path / ".env").exists()


def test_on_a_terminal_it_asks_and_does_not_show_the_secret(tmp_path, monkeypatch):
    shown = dialogue("init", typed=["acme", "US", "the-client", "canary-secret"], folder=tmp_path)
    assert "Next, run: ideas-pipeline fit" in shown
    assert "canary-secret" not in shown
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert (settings.community, settings.api_region, settings.client_id) == ("acme", "US", "the-client")
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == "canary-secret"


def test_no_option_would_leave_the_secret_in_the_shells_history():
    assert not [p.name for p in init.params if p.name and "secret" in p.name]
