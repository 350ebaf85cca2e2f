"""``ideas_pipeline.yaml``: several communities, and what is taken over from the time before the file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ideas_pipeline.communities import each_community, load_settings
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.settings import Settings
from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.processes import run

TWO = """\
defaults:
  timezone: Europe/Madrid
  schedule_hour: 3
communities:
  acme:   # a comment
    api_region: EU
    client_id: {env: ACME_ID}
    client_secret: {env: ACME_SECRET}
    timezone: America/New_York
  globex:
    api_base_url: https://globex.example/v2
    client_id: {env: GLOBEX_ID}
    client_secret: {env: GLOBEX_SECRET}
    pii_name: hash
    alert_emails: [ann@example.com, ben@example.com]
    smtp_url: smtp://mail.example.com
    contract: contracts/globex.yaml
"""
VARIABLES = {"ACME_ID": "a", "ACME_SECRET": "canary-a", "GLOBEX_ID": "g", "GLOBEX_SECRET": "canary-g"}


pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.fixture
def two(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(TWO)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def write(text: str, file: str = "ideas_pipeline.yaml") -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text, encoding="utf-8")


def load_communities() -> dict[str, Settings]:
    """The settings of every community. Raises SettingsError with every problem, each of them once."""
    communities = each_community()
    errors = [one for one in communities.values() if isinstance(one, SettingsError)]
    if errors:
        raise SettingsError(*dict.fromkeys(sentence for error in errors for sentence in error.problems))
    return {name: one for name, one in communities.items() if isinstance(one, Settings)}


def problem(community: str | None = None, *, of_all: bool = False) -> str:
    with pytest.raises(SettingsError) as caught:
        load_communities() if of_all else load_settings(community)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def sqlite(settings: Settings) -> str:
    return settings.warehouse_url.get_secret_value()


@pytest.mark.usefixtures("two")
def test_each_community_has_its_own_settings_then_the_defaults():
    communities = load_communities()
    assert list(communities) == ["acme", "globex"]
    acme, globex = communities.values()
    assert (acme.community, acme.timezone, acme.schedule_hour, acme.api_region) == (
        "acme",
        "America/New_York",
        3,
        "EU",
    )
    assert (globex.timezone, globex.pii_name, globex.alert_emails) == (
        "Europe/Madrid",
        "hash",
        ("ann@example.com", "ben@example.com"),
    )
    assert globex.client_secret
    assert globex.client_secret.get_secret_value() == "canary-g"
    assert globex.base_url(load_contract(None)) == "https://globex.example/v2/"
    assert load_settings("globex") == globex
    assert "canary" not in repr(communities)


@pytest.mark.usefixtures("two")
def test_each_community_has_its_own_state_folder_and_its_own_minute():
    acme, globex = load_communities().values()
    assert (acme.state_dir, globex.state_dir) == (Path(".ideas/acme"), Path(".ideas/globex"))
    assert acme.token_store == Path(".ideas/acme/tokens.json")
    assert sqlite(globex) == "sqlite:///.ideas/globex/warehouse.db"
    # A hash of the name: the same in every version.
    assert (acme.schedule_minute, globex.schedule_minute) == (37, 45)
    write(TWO.replace("    pii_name", "    schedule_minute: 0\n    pii_name"))
    assert load_settings("globex").schedule_minute == 0


def test_one_community_in_the_file_needs_no_name_and_starts_at_the_full_hour():
    write("communities:\n  acme:\n")
    settings = load_settings()
    assert (settings.community, settings.schedule_minute, settings.simulated) == ("acme", 0, True)


def test_relative_paths_are_relative_to_the_files_folder(tmp_path, monkeypatch):
    file = tmp_path / "etc" / "ideas.yaml"
    write(
        "communities:\n  acme:\n    contract: c.yaml\n    warehouse_url: sqlite:///data/w.db\n  b:\n"
        "    token_store: ~/t.json\n    warehouse_url: sqlite:////srv/w.db\n    state_dir: /srv/state\n",
        str(file),
    )
    monkeypatch.setenv("IDEAS_CONFIG", str(file))
    acme, other = load_communities().values()
    assert acme.contract == file.parent / "c.yaml"
    assert acme.state_dir == file.parent / ".ideas" / "acme"
    assert sqlite(acme) == f"sqlite:///{file.parent}/data/w.db"
    assert (other.token_store, other.state_dir) == (Path("~/t.json").expanduser(), Path("/srv/state"))
    assert sqlite(other) == "sqlite:////srv/w.db"


def test_ideas_config_names_the_file_also_in_env_and_must_name_one_that_exists(monkeypatch):
    write("communities: {acme: }", "other.yaml")
    write("IDEAS_CONFIG=other.yaml\n", ".env")
    assert load_settings().community == "acme"
    monkeypatch.setenv("IDEAS_CONFIG", "canary.yaml")
    assert problem() == "IDEAS_CONFIG names a file that does not exist. Correct or remove it."


@pytest.mark.usefixtures("two")
def test_with_several_communities_one_must_be_named(monkeypatch):
    assert problem() == (
        "ideas_pipeline.yaml has several communities: acme, globex. "
        "Say which one: --community acme, or set IDEAS_COMMUNITY."
    )
    assert problem("glovex").startswith("ideas_pipeline.yaml has no community glovex. Did you mean globex?")
    monkeypatch.setenv("IDEAS_COMMUNITY", "globex")
    assert load_settings().community == "globex"
    assert load_settings("acme").community == "acme"


def test_without_the_file_everything_is_as_before():
    write("IDEAS_COMMUNITY=solo\nIDEAS_TIMEZONE=Europe/Oslo\n", ".env")
    assert list(load_communities()) == ["solo"]
    settings = load_settings("solo")
    assert settings == load_settings() == load_communities()["solo"]
    assert (settings.timezone, settings.state_dir, settings.schedule_minute) == ("Europe/Oslo", Path(".ideas"), 0)
    assert problem("acme").startswith("The community acme is not configured: ideas_pipeline.yaml does not exist")


@pytest.mark.usefixtures("two")
def test_a_variable_that_is_not_set_concerns_its_community_alone(monkeypatch):
    monkeypatch.delenv("ACME_SECRET")
    sentence = (
        "ideas_pipeline.yaml, line 8: client_secret of acme is not set, because the variable ACME_SECRET is not. "
        "Set it in the environment or in .env."
    )
    assert problem("acme") == sentence
    assert problem(of_all=True) == sentence
    assert load_settings("globex").community == "globex"
    write("ACME_SECRET='canary-from-file'\n", ".env")
    monkeypatch.setenv("ACME_SECRET", "")  # an empty variable counts as not set
    secret = load_settings("acme").client_secret
    assert secret
    assert secret.get_secret_value() == "canary-from-file"
    write("ACME_SECRET='canary-${HOME}'\n", ".env")
    assert ".env, line 1: the value of ACME_SECRET contains ${…}" in problem("acme")


def test_a_secret_in_the_place_of_a_variables_name_is_not_shown():
    write("communities:\n  acme:\n    client_secret: {env: canary7Jx0Pq2Lm9Rt}\n")
    assert "because the variable that is named there is not" in problem()
    write("communities:\n  acme:\n    client_secret: {env: canary/+x==}\n")
    assert problem() == (
        "ideas_pipeline.yaml, line 3: client_secret must be a value, or {env: NAME} with the name of a variable."
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("client_secret", "canary"),
        ("pii_key", "canary-of-at-least-16"),
        ("alert_webhook", "https://hooks.example.com/canary"),
        ("callback_path", "/canary"),
        ("smtp_url", "smtp://me:canary@mail.example.com"),
        ("warehouse_url", "postgresql+psycopg://me:canary@db/ideas"),
        ("warehouse_url", "postgresql+psycopg://me@db/ideas?password=canary"),
        ("warehouse_url", "postgresql://[canary"),
        ("client_secret", 12345678),
        ("client_secret", ["canary"]),
    ],
)
def test_a_secret_in_the_file_is_refused_with_the_line_to_write_instead(key, value):
    write(f"communities:\n  big-acme:\n    {key}: {value}\n")
    assert problem().startswith(f"ideas_pipeline.yaml, line 3: {key} contains a secret, and no secret is in this file.")
    assert problem().endswith(f"{key}: {{env: BIG_ACME_{key.upper()}}}")
    write(f"defaults:\n  {key}: {value}\ncommunities: {{a: }}\n")
    assert problem().endswith(f"{key}: {{env: IDEAS_{key.upper()}}}")


@pytest.mark.parametrize("url", ["sqlite:////srv/a@b:c.db", "postgresql+psycopg://me@db/ideas", "postgresql:///ideas"])
def test_a_database_url_without_a_password_may_be_in_the_file(url):
    write(f"communities:\n  acme:\n    warehouse_url: {url}\n")
    assert sqlite(load_settings()) == url


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("comunities: {a: }", "line 1: comunities is not known here. Did you mean communities?"),
        ("defaults: {shedule_hour: 2}", "line 1: shedule_hour is not a setting. Did you mean schedule_hour?"),
        ("defaults: {IDEAS_TIMEZONE: UTC}", "line 1: IDEAS_TIMEZONE is not a setting. Did you mean timezone?"),
        ("communities:\n  a:\n    community: b\n", "line 3: community is not a setting."),
        ("communities:\n  a: [b]\n", "line 2: communities.a must be a map of names and values."),
        ("communities: [a]", "line 1: communities must be a map of names and values."),
        ("communities:\n  a b: \n", "line 2: the name of a community must have letters, digits, _ and - only."),
        ("communities:\n  a: \n  A: \n", "line 3: A differs from a in case only. Rename one."),
        ("communities:\n  Archive: \n", "line 2: Archive is also a folder of .ideas. Write a state_dir"),
        ("communities:\n  a: \n  a: \n", "line 3: a is set twice in the same map"),
        ("communities:\n  a: {timezone: Mars/One}\n", "line 2: timezone of a must be the name of a time zone"),
        ("communities:\n  a: {schedule_hour: 25}\n", "must be a whole hour from 0 to 23, not 25."),
        ("communities:\n  a: {client_id: 12}\n", "client's id (text that looks like a number or true needs quotes)."),
        ("communities:\n  a: {pii_email: {hash: me}}\n", "line 2: pii_email must be a value, or {env: NAME}"),
        ("communities:\n  a: {client_id: x}\n", "client_secret of a in ideas_pipeline.yaml is not set, but its"),
        ("communities: {}", "has no communities. Add one: ideas-pipeline init --community NAME"),
        ("", "has no communities."),
        ("- a", "the top level of a file of communities is a map of names and values, such as defaults: or"),
        ("communities: {a", "this is not YAML"),
        ("a: &a [*a]", "an alias (*name) refers to the value that it is in"),
        ("[" * 100, "is nested too deeply"),
        ("- a\n" * 10_001, "is far too large for a file of communities"),
        ("include: 5", "line 1: include must be a list of files"),
        ("include: other.yaml", "other.yaml cannot be read: No such file or directory."),
        ("include: ideas_pipeline.yaml", "ideas_pipeline.yaml includes itself."),
    ],
)
def test_a_mistake_in_the_file_gets_its_line_and_what_would_be_right(text, sentence):
    write(text)
    assert sentence in problem(of_all=True)


def test_an_anchor_saves_repeating_and_null_takes_a_default_away():
    write(
        "defaults: {owner: team:data}\ncommunities:\n  a: &a\n    verify_days: 7\n    owner: null\n"
        "  b:\n    <<: *a\n    verify_days: 9\n  c:\n    owner: ''\n"
    )
    a, b, c = load_communities().values()
    assert [(one.verify_days, one.owner) for one in (a, b, c)] == [(7, None), (9, None), (14, None)]


def test_a_folder_or_a_broken_text_in_the_place_of_the_file_gets_a_sentence():
    Path("ideas_pipeline.yaml").mkdir()
    assert problem() == "ideas_pipeline.yaml cannot be read: Is a directory. Fix or remove it."
    Path("ideas_pipeline.yaml").rmdir()
    Path("ideas_pipeline.yaml").write_bytes(b"\xff\xfe\x00")
    assert problem() == "ideas_pipeline.yaml is not UTF-8 text. Fix or remove it."


def test_a_variable_that_the_file_does_not_name_is_never_ignored_silently(monkeypatch):
    write(
        "communities:\n  acme:\n    client_id: {env: IDEAS_CLIENT_ID}\n    client_secret: {env: IDEAS_CLIENT_SECRET}\n"
    )
    write("IDEAS_COMMUNITY=acme\nIDEAS_CLIENT_ID=i\nIDEAS_CLIENT_SECRET=s\n", ".env")
    assert load_settings().client_id == "i"
    monkeypatch.setenv("ideas_pii_name", "drop")
    assert problem() == (
        "IDEAS_PII_NAME is set, but has no effect, because ideas_pipeline.yaml does not name it. Write there, under "
        "defaults: or at a community, pii_name: {env: IDEAS_PII_NAME}, or its value; or remove the variable."
    )


@pytest.mark.usefixtures("two")
def test_included_files_give_their_communities_with_their_own_defaults():
    write("defaults: {owner: team:data, schedule_hour: 1}\n", "parts/common.yaml")
    write("include: [common.yaml]\ncommunities: {n1: {schedule_hour: 4}, n2: {}}\n", "parts/north.yaml")
    write("include: common.yaml\ndefaults: {timezone: Asia/Tokyo}\ncommunities: {s1: }\n", "parts/south.yaml")
    write(f"include: [parts/north.yaml, parts/south.yaml]\n{TWO}")
    communities = load_communities()
    assert list(communities) == ["n1", "n2", "s1", "acme", "globex"]
    assert [(one.schedule_hour, one.owner, one.timezone) for one in communities.values()] == [
        (4, "team:data", "UTC"),
        (1, "team:data", "UTC"),
        (1, "team:data", "Asia/Tokyo"),
        (3, None, "America/New_York"),
        (3, None, "Europe/Madrid"),
    ]
    assert communities["n1"].state_dir == Path("parts/.ideas/n1")
    os.environ["IDEAS_CONFIG"] = "parts/north.yaml"
    alone = load_communities()
    assert alone["n2"].model_dump() == communities["n2"].model_dump()
    del os.environ["IDEAS_CONFIG"]
    write("communities: {n1: }\n", "parts/south.yaml")
    assert "parts/south.yaml, line 1: n1 is also at parts/north.yaml, line 2. Rename one" in problem(of_all=True)


@pytest.mark.usefixtures("two")
def test_communities_that_would_overwrite_each_others_tokens_are_refused():
    write(TWO.replace("defaults:", "defaults:\n  state_dir: /srv/ideas"))
    sentence = (
        "acme and globex have the same token store, /srv/ideas/tokens.json, but different API accounts: each would "
        "overwrite the other's tokens. Remove state_dir and token_store from the file, or give each community its own."
    )
    assert problem(of_all=True) == problem("acme") == problem("globex") == sentence
    # One folder with a token store each is fine.
    write(
        TWO.replace("defaults:", "defaults:\n  state_dir: s").replace(
            "    pii_name", "    token_store: t\n    pii_name"
        )
    )
    assert [one.state_dir for one in load_communities().values()] == [Path("s"), Path("s")]


def test_communities_with_one_api_account_share_its_tokens_and_its_budget(monkeypatch):
    monkeypatch.setenv("SECRET", "secret")
    text = (
        "defaults: {client_id: i, client_secret: {env: SECRET}, api_region: EU}\n"
        "communities:\n  a: {}\n  b: {api_region: eu, pii_name: drop}\n  c: {api_region: US}\n"
    )
    write(text)
    assert problem(of_all=True).startswith("a and b use the same API account, but not the same state folder")
    assert load_settings("c").community == "c"
    write(text.replace("a: {", "a: {state_dir: s").replace("pii_name", "state_dir: s, pii_name"))
    assert len(load_communities()) == 3


def test_messages_name_the_setting_as_the_file_does():
    write("communities: {a: {client_secret: {env: A_SECRET}, client_id: x}}")
    os.environ["A_SECRET"] = "canary"
    try:
        with pytest.raises(SettingsError, match=r"^api_region of a in ideas_pipeline\.yaml is not set"):
            load_settings().base_url(load_contract(None))
    finally:
        del os.environ["A_SECRET"]


# What was there before the file.


def earlier(community: str = "acme") -> None:
    """The state folder of one community, as the version before leaves it."""
    for name in ("tokens.json", "pii.key", "suppressed.json", "warehouse.db", f"archive/{community}/run.db"):
        write("kept", f".ideas/{name}")


def test_a_community_from_before_the_file_keeps_its_state_folder_and_others_get_their_own():
    earlier()
    write("communities: {globex: , acme: }")
    globex, acme = load_communities().values()
    assert (acme.state_dir, acme.token_store, sqlite(acme)) == (
        Path(".ideas"),
        Path(".ideas/tokens.json"),
        "sqlite:///.ideas/warehouse.db",
    )
    assert globex.state_dir == Path(".ideas/globex")


def test_state_from_before_the_file_is_never_left_behind_silently():
    earlier("community")
    write("communities: {globex: , acme: }")
    assert problem(of_all=True).startswith(
        ".ideas has the state of a community from before there was a file of communities: tokens.json, pii.key,"
        " suppressed.json, archive/community. None in the file uses it, so"
    )
    write("communities: {globex: , acme: {state_dir: .ideas}}")
    assert load_settings("acme").state_dir == Path(".ideas")
    assert load_settings("globex").state_dir == Path(".ideas/globex")


def test_a_community_that_may_have_been_renamed_is_not_read_before_somebody_looks_at_its_erased_people(monkeypatch):
    text = "defaults: {client_id: x, client_secret: {env: A_SECRET}}\ncommunities: {acme: {api_region: EU}, globex: }"
    monkeypatch.setenv("A_SECRET", "canary")
    write(text)
    write("kept", ".ideas/acme/suppressed.json")
    write("kept", ".ideas/globex/suppressed.json")
    assert len(load_communities()) == 2
    write(text.replace("globex", "initech"))
    assert load_settings("acme").community == "acme"
    with pytest.raises(SettingsError, match=r"erased from globex.* If initech is another name for it"):
        load_settings("initech")
    write(text.replace("globex:", "initech: {state_dir: .ideas/globex}"))  # somebody has decided
    assert load_settings("initech").community == "initech"
    write(text.replace("globex", "initech"))
    Path(".ideas/initech").mkdir()  # somebody has read it under its own name before
    assert load_settings("initech").community == "initech"


def test_without_the_file_no_parser_of_yaml_is_imported():
    code = "import sys, ideas_pipeline.communities as c; c.load_settings(); print('ruamel.yaml' in sys.modules)"
    assert run([sys.executable, "-c", code], env=environment()).stdout == "False\n"
