from __future__ import annotations

import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.ideas_api.account_store import Tokens
from ideas_pipeline.ideas_api.token_file import TokenFile
from ideas_pipeline_tests.processes import at_the_same_time

TOKENS = Tokens(access_token="canary-a", refresh_token="canary-b", expires_at=12.5, issued_to="who")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_written_tokens_are_read_back_and_the_folder_is_created(tmp_path: Path) -> None:
    store = TokenFile(tmp_path / "a" / "b" / "tokens.json")
    assert store.read() is None
    with store.lock():
        store.write(TOKENS)
    assert store.read() == TOKENS
    assert _mode(store.path.parent) == 0o700


def test_the_files_are_readable_by_their_owner_only_and_leave_no_copies(tmp_path: Path) -> None:
    store = TokenFile(tmp_path / "tokens.json")
    (tmp_path / "tokens.json.new").write_text("left behind by a killed process")
    before = os.umask(0)
    try:
        with store.lock():
            store.write(TOKENS)
            assert _mode(tmp_path / "tokens.json.lock") == 0o600
            store.write(TOKENS)
    finally:
        os.umask(before)
    assert _mode(store.path) == 0o600
    assert not (tmp_path / "tokens.json.new").exists()


def test_a_file_that_others_can_read_is_closed_to_them_and_used(tmp_path: Path) -> None:
    store = TokenFile(tmp_path / "tokens.json")
    store.write(TOKENS)
    store.path.chmod(0o644)
    assert store.read() == TOKENS
    assert _mode(store.path) == 0o600


@pytest.mark.parametrize("changed", [{"access_token": None}, {"expires_at": "soon"}, {"issued_to": 5}])
def test_a_corrupt_file_counts_as_no_tokens(
    tmp_path: Path, changed: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    store = TokenFile(tmp_path / "tokens.json")
    store.write(TOKENS)
    store.path.write_text(json.dumps(json.loads(store.path.read_text()) | changed))
    assert store.read() is None
    assert "tokens.json is damaged and is not used: logging in again." in caplog.text


def test_a_link_to_a_file_of_tokens_is_refused(tmp_path: Path) -> None:
    elsewhere = TokenFile(tmp_path / "elsewhere")
    elsewhere.write(TOKENS)
    (tmp_path / "tokens.json").symlink_to(elsewhere.path)
    with pytest.raises(AuthenticationError, match=r"tokens\.json cannot be read: it is a link"):
        TokenFile(tmp_path / "tokens.json").read()


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    store = TokenFile(tmp_path / "tokens.json")
    store.write(TOKENS)
    over = threading.Event()
    seen = []

    def read() -> None:
        while not over.is_set():
            seen.append(store.read())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        store.write(TOKENS)
    over.set()
    reader.join()
    assert set(seen) == {TOKENS}


def test_a_file_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = TokenFile(tmp_path / "file" / "tokens.json")
    with pytest.raises(AuthenticationError, match=r"token store .* cannot be written.*IDEAS_TOKEN_STORE"), store.lock():
        pass
    folder = TokenFile(tmp_path)
    with pytest.raises(AuthenticationError, match="IDEAS_TOKEN_STORE"):
        folder.write(TOKENS)
    with pytest.raises(AuthenticationError, match=r"token store .* cannot be read.*IDEAS_TOKEN_STORE"):
        folder.read()


def test_tokens_are_not_shown(tmp_path: Path) -> None:
    assert "canary" not in f"{TOKENS!r} {TOKENS}"


def _add_one(path: Path, times: int) -> None:
    store = TokenFile(path)
    for _ in range(times):
        with store.lock():
            tokens = store.read()
            count = float(tokens.expires_at or 0) if tokens else 0.0
            store.write(Tokens("a", "b", count + 1, "who"))


def test_the_lock_keeps_processes_and_threads_apart(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    with ThreadPoolExecutor(2) as threads:
        ours = [threads.submit(_add_one, path, 20) for _ in range(2)]
        at_the_same_time(_add_one, *[(path, 20)] * 2)
        for adding in ours:
            adding.result()
    tokens = TokenFile(path).read()
    assert tokens is not None
    assert tokens.expires_at == 80
