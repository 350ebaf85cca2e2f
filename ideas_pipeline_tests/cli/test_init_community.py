"""``ideas-pipeline init`` adds a community to ``ideas_pipeline.yaml``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ideas_pipeline.cli.main import main
from ideas_pipeline.communities import each_community, load_settings

FILE = Path("ideas_pipeline.yaml")
# Someone's own way to write YAML, with comments in all places.
OURS = """\
# Ours.
defaults:
    timezone: 'Europe/Madrid'   # all of them

communities:
    # The first.
    acme:
        api_region: EU  # since 2024
        client_id: {env: ACME_CLIENT_ID}
        client_secret:   {env: ACME_CLIENT_SECRET}
        # below the last line
# The end.
"""


pytestmark = pytest.mark.usefixtures("empty_folder")


def init(*options: str) -> Result:
    return CliRunner().invoke(main, ["init", *options], prog_name="ideas-pipeline")


def set_secrets(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setenv(f"{name}_CLIENT_ID", name)
        monkeypatch.setenv(f"{name}_CLIENT_SECRET", f"secret-of-{name}")


def test_a_community_is_added_and_every_comment_stays(monkeypatch):
    FILE.write_text(OURS)
    FILE.chmod(0o640)
    done = init("--community", "big-globex", "--region", "us")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "Wrote big-globex to ideas_pipeline.yaml.",
        "Set BIG_GLOBEX_CLIENT_ID and BIG_GLOBEX_CLIENT_SECRET in the environment or in .env. "
        "Then run: ideas-pipeline fit --community big-globex",
    ]
    text = FILE.read_text()
    for comment in ("# Ours.", "# all of them", "# The first.", "# since 2024", "# below the last line", "# The end."):
        assert text.count(comment) == 1
    assert "'Europe/Madrid'" in text
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o640
    set_secrets(monkeypatch, "ACME", "BIG_GLOBEX")
    communities = each_community()
    assert list(communities) == ["acme", "big-globex"]
    assert (communities["big-globex"].api_region, communities["big-globex"].timezone) == ("US", "Europe/Madrid")


def test_a_file_without_communities_gets_its_first_one(monkeypatch):
    FILE.write_text("# Nothing yet.\ncommunities:\n")
    assert init("--community", "acme", "--base-url", "https://a.example/v2", "--client-id", "i").exit_code == 0
    set_secrets(monkeypatch, "ACME")
    assert (load_settings().client_id, load_settings().api_base_url) == ("i", "https://a.example/v2/")
    assert "# Nothing yet." in FILE.read_text()


def test_what_the_file_cannot_hold_changes_nothing():
    FILE.write_text(OURS)
    refused = {
        ("--community", "acme"): "ideas_pipeline.yaml, line 7: acme is there already. Edit it there.",
        ("--community", "ACME"): "ACME differs from acme in case only.",
        ("--community", "b", "--warehouse-url", "postgresql://u:canary@h/d"): "warehouse_url contains a secret",
        ("--community", "a b"): "IDEAS_COMMUNITY must be a name of letters, digits, _ and -",
        (): "name the community to add: --community NAME.",
    }
    for options, sentence in refused.items():
        done = init(*options)
        assert (done.exit_code, sentence in done.output, "canary" in done.output) == (2, True, False), done.output
        assert "yaml.new" not in done.output
    assert FILE.read_text() == OURS
    assert [path.name for path in Path().iterdir()] == [FILE.name]


def test_the_community_of_env_is_taken_over_with_every_setting(monkeypatch):
    env = (
        "IDEAS_COMMUNITY=acme\nIDEAS_CLIENT_ID=i\nIDEAS_CLIENT_SECRET=canary\nIDEAS_PII_NAME=drop\nIDEAS_API_REGION=\n"
    )
    Path(".env").write_text(env)
    monkeypatch.setenv("IDEAS_TIMEZONE", "Asia/Tokyo")
    before = load_settings()
    assert init("--community", "globex").exit_code == 2  # as ever: .env exists
    done = init("--community", "globex", "--region", "EU", "--add")
    assert done.exit_code == 0, done.output
    set_secrets(monkeypatch, "GLOBEX")
    communities = each_community()
    assert list(communities) == ["acme", "globex"]
    assert communities["acme"].model_dump() == before.model_dump()
    assert load_settings() == communities["acme"]  # IDEAS_COMMUNITY in .env picks it
    assert communities["globex"].state_dir == Path(".ideas/globex")
    assert "canary" not in FILE.read_text()
    assert Path(".env").read_text() == env


def test_the_community_of_env_itself_cannot_be_added():
    Path(".env").write_text("IDEAS_COMMUNITY=acme\n")
    done = init("--community", "acme", "--add")
    assert (done.exit_code, FILE.exists()) == (2, False)
    assert "acme is the community in .env. Name the other one" in done.output
