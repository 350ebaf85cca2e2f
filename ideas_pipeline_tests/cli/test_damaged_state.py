"""Damaged files of the state folder: a sentence, nothing lost, and nobody who was erased comes back."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.folder import read_folder
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import QUICK, ideas_pipeline, lead_to

PERSON, NAME = "u-zoe", "Zoe Erasable"
COMMUNITY = Path(__file__).parents[1] / "end_to_end" / "written_by_76066a4" / "community"


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which a community was synced, and a person of it erased."""
    folder = tmp_path_factory.mktemp("synced")
    with Simulator(load_contract(None), read_folder(COMMUNITY)) as simulator:
        lead_to(simulator, folder, QUICK.replace("null", "null, requests_per_hour: 100000"))
        for arguments in (("sync",), ("erase", "--user", PERSON, "--yes")):
            done = ideas_pipeline(*arguments, folder=folder)
            assert done.returncode == 0, done.stderr
        yield folder


@pytest.fixture
def folder(synced: Path, tmp_path: Path) -> Path:
    return shutil.copytree(synced, tmp_path / "copy")


def the_only(folder: Path, pattern: str) -> Path:
    (found,) = (folder / ".ideas").glob(pattern)
    return found


def cut_in_half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def with_content(content: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content)

    return write


def with_sql(statement: str) -> Callable[[Path], None]:
    def execute(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(statement)

    return execute


def of_another_program(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    with_sql("CREATE TABLE diary (day text)")(file)


def a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


BINARY = with_content(bytes(range(256)) * 20)


@pytest.mark.parametrize(
    ("pattern", "damage", "sentence"),
    [
        ("suppressed.json", cut_in_half, "suppressed.json cannot be read: it is damaged. Nothing is read or written"),
        ("suppressed.json", with_content(b"[]"), "suppressed.json cannot be read: it is damaged, or a newer version"),
        ("suppressed.json", BINARY, "suppressed.json cannot be read: it is damaged. Nothing is read or written"),
        ("suppressed.json", a_link, "suppressed.json cannot be read: it is a link"),
        ("suppressed.json", a_pipe, "suppressed.json cannot be read: it is not a regular file"),
        ("pii.key", with_content(b""), "The key file .ideas/pii.key is empty: it is damaged. Restore it"),
        ("pii.key", cut_in_half, "was made with another key, so that nobody on it would be recognised. Restore that"),
        ("pii.key", a_link, "The key file .ideas/pii.key cannot be used: it is a link"),
        ("warehouse.db", cut_in_half, "is malformed. The file is damaged: restore it from a backup (docs/operations"),
        ("warehouse.db", BINARY, "file is not a database. Use another file: this one is not a warehouse."),
        ("warehouse.db", of_another_program, "it has tables of another program (diary, …). Nothing was changed."),
        ("warehouse.db", with_sql("UPDATE _warehouse SET schema_version = 9"), "Nothing was changed. Upgrade ideas"),
        ("warehouse.db", a_link, ".ideas/warehouse.db is a link, and no link is followed in the state folder. Name"),
        ("warehouse.db", a_pipe, "warehouse.db cannot be used: it is not a regular file, but a pipe"),
        ("tokens.json", a_link, "the token store .ideas/tokens.json cannot be read: it is a link"),
        ("account-*.budget", a_link, ".budget cannot be written: it is a link"),
        ("account-*.budget", a_pipe, ".budget cannot be written: it is not a regular file"),
        ("account-*.lock", a_link, "account-"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_damaged_file_stops_a_sync_with_a_sentence_and_is_kept(
    pattern: str, damage: Callable[[Path], None], sentence: str, folder: Path
) -> None:
    file = the_only(folder, pattern)
    damage(file)
    before = file.read_bytes() if file.is_file() else b""
    done = ideas_pipeline("sync", "--full", folder=folder)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "unexpected" not in done.stderr
    assert "free space" not in done.stderr
    assert (file.read_bytes() if file.is_file() else b"") == before
    kept = b"".join(part.read_bytes() for part in (folder / ".ideas").glob("warehouse.db*") if part.is_file())
    assert NAME.encode() not in kept


@pytest.mark.parametrize("damage", [cut_in_half, BINARY, with_content(b"[]"), with_content(b"[" * 100_000)])
def test_damaged_tokens_cost_a_login_and_a_sentence(damage: Callable[[Path], None], folder: Path) -> None:
    damage(the_only(folder, "tokens.json"))
    done = ideas_pipeline("sync", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "The token store .ideas/tokens.json is damaged and is not used: logging in again." in done.stderr


@pytest.mark.parametrize("damage", [cut_in_half, BINARY, with_content(b"[]")])
def test_a_damaged_budget_starts_again_with_a_sentence(damage: Callable[[Path], None], folder: Path) -> None:
    damage(the_only(folder, "account-*.budget"))
    done = ideas_pipeline("sync", folder=folder)
    assert done.returncode == 0, done.stderr
    assert ".budget is corrupt: the count of the last hour's requests starts again at zero." in done.stderr


@pytest.mark.parametrize("damage", [cut_in_half, BINARY, with_content(b""), of_another_program, a_link])
def test_a_damaged_archive_is_named_and_its_other_runs_are_erased(damage: Callable[[Path], None], folder: Path) -> None:
    file = the_only(folder, "archive/community/*.sqlite")
    assert ideas_pipeline("sync", "--full", folder=folder).returncode == 0
    damage(file)
    done = ideas_pipeline("replay", folder=folder)
    assert done.returncode == 1
    assert f"{file.relative_to(folder)} cannot be read: " in done.stderr
    assert "if it is damaged, move it out of the archive" in done.stderr
    done = ideas_pipeline("erase", "--user", "u-linus", "--yes", folder=folder)
    assert done.returncode == 3
    left = f"The archive still holds the person: {file.relative_to(folder)} cannot be used: "
    assert left in done.stderr
    assert "Move it out of the archive, or delete it" in done.stderr
    assert "Errno" not in done.stderr
    file.unlink()
    done = ideas_pipeline("replay", folder=folder)
    assert done.returncode in (0, 3), done.stderr
    kept = b"".join(part.read_bytes() for part in (folder / ".ideas").rglob("*.*") if part.is_file())
    assert [word for word in (NAME, "Linus Specimen") if word.encode() in kept] == []


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_state_folder_that_others_may_write_to_is_refused(mode: int, folder: Path) -> None:
    (folder / ".ideas").chmod(mode)
    for command in ("sync", "status", "replay"):
        done = ideas_pipeline(command, folder=folder)
        assert done.returncode == 2
        assert "Other users may write to the folder .ideas" in done.stderr
        assert "chmod go-w .ideas" in done.stderr
    (folder / ".ideas").chmod(0o755)
    assert ideas_pipeline("status", folder=folder).returncode == 0


def test_a_folder_of_the_token_store_that_others_may_write_to_is_refused(folder: Path) -> None:
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o777)
    done = ideas_pipeline("sync", folder=folder, IDEAS_TOKEN_STORE="shared/tokens.json")
    assert done.returncode == 2
    assert "Other users may write to the folder shared" in done.stderr
    assert "name a new folder inside it with IDEAS_TOKEN_STORE" in done.stderr


def test_a_folder_that_is_everybody_s_on_purpose_is_not_to_be_closed(folder: Path) -> None:
    (folder / ".ideas").chmod(0o1777)  # as /tmp is
    done = ideas_pipeline("sync", folder=folder)
    assert (done.returncode, "chmod" in done.stderr) == (2, False)
    assert "so they could replace the files in it. So name a new folder inside it with IDEAS_STATE_DIR" in done.stderr


@pytest.mark.parametrize("place", ["/dev/null", "a file"])
def test_a_state_folder_that_is_not_a_folder_is_named_and_not_to_be_changed(place: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    client = {"IDEAS_CLIENT_ID": "i", "IDEAS_CLIENT_SECRET": "canary", "IDEAS_API_REGION": "EU"}
    done = ideas_pipeline("sync", folder=tmp_path, IDEAS_STATE_DIR=place, **client)
    assert done.returncode == 2
    assert done.stderr == f"Error: {place} is not a folder. Name one with IDEAS_STATE_DIR.\n"


def test_a_state_folder_that_is_a_link_is_used(folder: Path) -> None:
    (folder / ".ideas").rename(folder / "elsewhere")
    (folder / ".ideas").symlink_to("elsewhere")
    assert ideas_pipeline("sync", folder=folder).returncode == 0
