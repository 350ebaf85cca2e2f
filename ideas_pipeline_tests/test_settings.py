from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ideas_pipeline.communities import load_settings
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.settings import SAFE_TO_SHOW, Settings, variable
from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.processes import run

pytestmark = pytest.mark.usefixtures("empty_folder")


def write_env(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


def problem() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_without_any_configuration_the_simulator_stands_in_and_everything_is_kept_in_the_state_folder():
    settings = load_settings()
    assert settings.simulated
    assert settings.community == "community"
    assert settings.warehouse_url.get_secret_value() == "sqlite:///.ideas/warehouse.db"
    assert settings.token_store == Path(".ideas/tokens.json")
    assert settings.callback_port is None
    assert (settings.schedule_hour, settings.timezone, settings.mass_absence_percent) == (2, "UTC", 10)


def test_another_state_folder_takes_the_warehouse_and_the_tokens_with_it():
    settings = Settings(state_dir=Path("elsewhere"))
    assert settings.warehouse_url.get_secret_value() == "sqlite:///elsewhere/warehouse.db"
    assert settings.token_store == Path("elsewhere/tokens.json")


def test_communities_that_share_a_state_folder_have_an_archive_and_a_report_each():
    one, other = Settings(community="one"), Settings(community="other")
    assert one.state_dir == other.state_dir
    assert one.archive != other.archive
    assert one.report != other.report


def test_the_environment_wins_over_the_file(monkeypatch):
    write_env("IDEAS_COMMUNITY=from-file\nIDEAS_SCHEDULE_HOUR=5\n")
    monkeypatch.setenv("IDEAS_COMMUNITY", "from-environment")
    settings = load_settings()
    assert (settings.community, settings.schedule_hour) == ("from-environment", 5)


def test_an_empty_value_counts_as_not_set():
    write_env("IDEAS_CLIENT_ID=\nIDEAS_CLIENT_SECRET=\nIDEAS_API_REGION=\n")
    assert load_settings().simulated


def test_other_programs_variables_in_the_file_are_left_alone():
    write_env("DAGSTER_HOME=/somewhere\nDEBUG=1\n")
    assert load_settings().community == "community"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("IDEAS_COMMUNITY", "our community", "letters, digits, _ and -, not 'our community'"),
        ("IDEAS_SCHEDULE_HOUR", "25", "a whole hour from 0 to 23, not '25'"),
        ("IDEAS_SCHEDULE_HOUR", "two", "a whole hour from 0 to 23, not 'two'"),
        ("IDEAS_TIMEZONE", "Madrid", "the name of a time zone, such as Europe/Madrid or UTC, not 'Madrid'"),
        ("IDEAS_TIMEZONE", "../etc/passwd", "the name of a time zone"),
        ("IDEAS_TIMEZONE", "Europe", "the name of a time zone, such as Europe/Madrid or UTC, not 'Europe'"),
        ("IDEAS_STATE_DIR", "~nobody_x/x", "the path of a folder, not '~nobody_x/x'"),
        ("IDEAS_CALLBACK_SECONDS", "inf", "a number of seconds greater than 0"),
        ("IDEAS_CALLBACK_PORT", "70000", "a port from 1 to 65535"),
        ("IDEAS_CALLBACK_PATH", "callback", "a path that starts with /"),
        ("IDEAS_CALLBACK_SECONDS", "0", "a number of seconds greater than 0"),
        ("IDEAS_ARCHIVE_DAYS", "-1", "a whole number of days, or 0 to archive no pages, not '-1'"),
        ("IDEAS_MASS_ABSENCE_PERCENT", "110", "a percentage from 0 to 100"),
        ("IDEAS_API_BASE_URL", "http://api.example.com/v2/", "http only on this machine"),
        ("IDEAS_API_BASE_URL", "api.example.com", "a URL such as https://"),
        ("IDEAS_STALE_HOURS", "0", "a number of hours greater than 0, not '0'"),
        ("IDEAS_ALERT_WEBHOOK", "http://hooks.example.com/x", "a URL such as https://hooks.slack.com"),
        ("IDEAS_SMTP_URL", "mail.example.com:587", "a mail server URL such as smtp://"),
        (
            "IDEAS_SMTP_URL",
            "smtp://me:sl/ash@mail.example.com",
            "percent-encode each character that is not a letter or digit",
        ),
        (
            "IDEAS_SMTP_URL",
            "smtp://me@example.com:x@mail.example.com",
            "percent-encode each character that is not a letter or digit",
        ),
        ("IDEAS_ALERT_EMAILS", "ann@example.com ben@example.com", "in ASCII, separated by commas."),
        ("IDEAS_ALERT_FROM", "the pipeline", "an e-mail address in ASCII."),
        ("IDEAS_ALERT_FROM", "jürgen@example.com", "an e-mail address in ASCII"),
        ("IDEAS_REPORT_URL", "reports", "the URL of a folder without a password, such as s3://bucket/reports"),
        ("IDEAS_REPORT_URL", "sftp://me:secret@host/reports", "the URL of a folder without a password"),
        ("IDEAS_WAREHOUSE_URL", "warehouse.db", "a database URL such as sqlite:///path.db"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right_and_where_to_correct_it(monkeypatch, name, value, sentence):
    monkeypatch.setenv(name, value)
    in_environment = problem()
    assert in_environment.startswith(f"{name} must be ")
    assert sentence in in_environment
    assert in_environment.endswith("Correct it in the environment.")
    monkeypatch.delenv(name)
    write_env(f"{name}={value}\n")
    assert problem().endswith("Correct it in .env.")


def test_all_problems_are_reported_at_once_and_a_spoilt_default_is_not_one_of_them(monkeypatch):
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "25")
    monkeypatch.setenv("IDEAS_COMMUNITY", "a b")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [p.split()[0] for p in caught.value.problems] == ["IDEAS_COMMUNITY", "IDEAS_SCHEDULE_HOUR"]


@pytest.mark.parametrize("field", ["IDEAS_CLIENT_ID", "IDEAS_CLIENT_SECRET"])
def test_half_of_the_credentials_is_an_error_that_names_the_other_half(monkeypatch, field):
    monkeypatch.setenv(field, "one-half")
    other = ({"IDEAS_CLIENT_ID", "IDEAS_CLIENT_SECRET"} - {field}).pop()
    assert problem().startswith(f"{other} is not set")


def test_addresses_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("IDEAS_SMTP_URL", "smtp://mail.example.com")
    write_env("IDEAS_ALERT_EMAILS=ann@example.com, ben@example.com\n")
    assert load_settings().alert_emails == ("ann@example.com", "ben@example.com")
    monkeypatch.setenv("IDEAS_ALERT_EMAILS", "eve@example.com")
    assert load_settings().alert_emails == ("eve@example.com",)


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("IDEAS_SMTP_URL", "smtp://mail.example.com", "IDEAS_ALERT_EMAILS"),
        ("IDEAS_ALERT_EMAILS", "ann@example.com", "IDEAS_SMTP_URL"),
    ],
)
def test_half_of_what_sends_e_mail_is_an_error_that_names_the_other_half(monkeypatch, name, value, other):
    monkeypatch.setenv(name, value)
    assert problem().startswith(f"{other} is not set")


def test_a_mistyped_name_in_the_file_gets_the_right_one():
    write_env("IDEAS_CLIENT_SECERT=hunter2\n")
    assert problem() == "IDEAS_CLIENT_SECERT is not a setting. Did you mean IDEAS_CLIENT_SECRET?"


def test_a_mistyped_name_in_the_environment_gets_the_right_one(monkeypatch):
    monkeypatch.setenv("IDEAS_WAREHOUSEURL", "sqlite:///x.db")
    assert problem() == "IDEAS_WAREHOUSEURL is not a setting. Did you mean IDEAS_WAREHOUSE_URL?"


def test_an_unknown_name_in_the_file_is_an_error_and_in_the_environment_another_programs(monkeypatch):
    monkeypatch.setenv("IDEAS_OF_MARCH", "1")
    assert load_settings().community == "community"
    write_env("IDEAS_OF_MARCH=1\n")
    assert "IDEAS_OF_MARCH in .env is not a setting" in problem()


def test_a_setting_that_no_repr_shows_is_quoted_in_no_error_either():
    known = Settings.model_fields.items()
    hidden = {name for name, field in known if not field.repr or "SecretStr" in str(field.annotation)}
    assert hidden == Settings.model_fields.keys() - SAFE_TO_SHOW


def test_no_secret_is_in_a_repr_or_an_error(monkeypatch):
    secrets = {
        "IDEAS_CLIENT_ID": "canary-id",
        "IDEAS_CLIENT_SECRET": "canary-secret",
        "IDEAS_ALERT_WEBHOOK": "https://hooks.example.com/canary-webhook",
        "IDEAS_SMTP_URL": "smtps://canary-user:canary-password@mail.example.com",
        "IDEAS_ALERT_EMAILS": "canary-ann@example.com",
        "IDEAS_ALERT_FROM": "canary-from@example.com",
    }
    write_env("IDEAS_WAREHOUSE_URL=postgresql+psycopg://me:canary-password@host/db\n")
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert "canary" not in repr(load_settings()) + str(load_settings())
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "canary-password")
    monkeypatch.setenv("IDEAS_API_BASE_URL", "https://me:canary-password@host/")
    for name in ("IDEAS_ALERT_WEBHOOK", "IDEAS_SMTP_URL", "IDEAS_ALERT_EMAILS", "IDEAS_ALERT_FROM"):
        monkeypatch.setenv(name, "canary wrong")
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "99")
    monkeypatch.setenv("IDEAS_CLIENT_SECERT", "canary-secret")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(caught.value.problems) == 8
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_file_that_is_not_a_text_gets_a_sentence():
    Path(".env").write_bytes(b"\xff\xfe\x00IDEAS")
    assert problem() == ".env is not UTF-8 text. Fix or remove it."


def test_a_folder_in_the_place_of_the_file_gets_a_sentence():
    Path(".env").mkdir()
    assert problem() == ".env is a folder, not a file. Rename or remove it."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# mine\n\nwhat is this\n", "line 3: this is not NAME=value"),
        ("IDEAS_CLIENT_ID\n", "line 1: this is not NAME=value"),
        (
            "IDEAS_CLIENT_SECRET=canary\n# new\n\nideas_client_secret=canary2\n",
            "line 4: ideas_client_secret is set twice (first on line 1); keep one of them",
        ),
        (
            "IDEAS_COMMUNITY=a\nIDEAS_CLIENT_SECRET='canary\n",
            "line 2: this is not NAME=value, or a quote is not closed",
        ),
        ("IDEAS_CLIENT_ID='canary\nA=1\nB='\n", "line 1: the value of IDEAS_CLIENT_ID continues on the next line"),
        ("IDEAS_CLIENT_SECRET='canary-${HOME}'\n", "line 1: the value of IDEAS_CLIENT_SECRET contains ${…}"),
    ],
)
def test_a_line_that_cannot_be_taken_as_it_stands_is_refused_by_its_number(text, sentence):
    write_env(text)
    assert problem().startswith(f".env, {sentence}")
    assert "canary" not in problem()


def test_all_wrong_lines_are_reported_at_once():
    write_env("what is this\nIDEAS_COMMUNITY=a\nand this\n")
    assert [line.partition(":")[0] for line in problem().splitlines()] == [".env, line 1", ".env, line 3"]


def test_values_in_quotes_with_comments_and_export_are_read_as_shells_do():
    write_env("\ufeffexport IDEAS_COMMUNITY='acme' # ours\nIDEAS_API_REGION=\"EU\"\n")
    assert (load_settings().community, load_settings().api_region) == ("acme", "EU")


def test_the_address_comes_from_the_region_in_any_case():
    contract = load_contract(None)
    assert Settings(api_region="eu").base_url(contract) == contract.hosts["EU"]


def test_an_address_wins_over_the_region_and_ends_in_a_slash():
    settings = Settings(api_region="EU", api_base_url="https://api.example.com/v2")
    assert settings.base_url(load_contract(None)) == "https://api.example.com/v2/"


@pytest.mark.parametrize("region", ["MARS", None])
def test_an_unknown_or_missing_region_lists_those_known(region):
    contract = load_contract(None)
    with pytest.raises(SettingsError, match="IDEAS_API_REGION") as caught:
        Settings(api_region=region).base_url(contract)
    assert ", ".join(contract.hosts) in str(caught.value)


def test_settings_load_without_dagster_pandas_or_sqlalchemy():
    heavy = "{'dagster', 'pandas', 'sqlalchemy', 'requests'}"
    code = f"import sys, ideas_pipeline.settings; print(sorted({heavy} & set(sys.modules)))"
    done = run([sys.executable, "-c", code], env=environment())
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "name",
    [variable(name) for name in Settings.model_fields],
)
@pytest.mark.parametrize("secret", ["canary7Jx0Pq2Lm9Rt", "canary/+x=="])
def test_a_secret_in_any_variable_is_not_shown(monkeypatch, name, secret):
    monkeypatch.setenv(name, secret)
    monkeypatch.setenv("IDEAS_CLIENT_ID", "id")
    if name != "IDEAS_CLIENT_SECRET":
        monkeypatch.setenv("IDEAS_CLIENT_SECRET", "another")
    message = ""
    try:
        load_settings().base_url(load_contract(None))
    except SettingsError as error:
        message = str(error)
    assert "canary" not in message


@pytest.mark.parametrize("name", ["IDEAS_COMMUNITY", "IDEAS_CLIENT_ID", "IDEAS_CONTRACT", "IDEAS_STATE_DIR"])
def test_the_client_secret_in_another_variable_is_a_mistake(monkeypatch, name):
    monkeypatch.setenv("IDEAS_CLIENT_ID", "id")
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "canary")
    monkeypatch.setenv(name, "canary")
    assert problem() == f"{name} has the value of IDEAS_CLIENT_SECRET. Correct it."


def test_a_pipe_or_a_huge_file_in_the_place_of_the_env_file_is_refused_at_once():
    os.mkfifo(".env")
    assert problem().startswith(".env cannot be read: it is not a regular file")
    Path(".env").unlink()
    Path(".env").touch()
    os.truncate(".env", 2**40)
    assert problem().startswith(".env cannot be read: it has more than 1 MB")
