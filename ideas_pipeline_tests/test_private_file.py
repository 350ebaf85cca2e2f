from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ideas_pipeline import private_file
from ideas_pipeline_tests.processes import at_the_same_time


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0, 0o022, 0o277])
def test_every_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with _umask(mask):
        private_file.create(tmp_path / "created").close()
        private_file.replace(tmp_path / "replaced", b"a")
        private_file.create_once(tmp_path / "once", b"a")
        os.close(private_file.open_or_create(tmp_path / "opened"))
        with private_file.lock(tmp_path / "lock"):
            pass
    assert {file.name: _mode(file) for file in tmp_path.iterdir()} == dict.fromkeys(
        ("created", "replaced", "once", "opened", "lock"), 0o600
    )


def test_a_folder_is_for_its_owner_alone_and_one_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    private_file.make_folder(tmp_path / "a" / "b")
    assert _mode(tmp_path / "a" / "b") == 0o700
    (tmp_path / "a" / "b").chmod(0o755)
    private_file.make_folder(tmp_path / "a" / "b")
    assert _mode(tmp_path / "a" / "b") == 0o755


def test_create_refuses_a_file_that_exists_and_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            private_file.create(tmp_path / name)
    assert (tmp_path / "there").read_bytes() == b"kept"
    assert not (tmp_path / "elsewhere").exists()


def test_replace_removes_what_a_killed_process_left_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "state"
    (tmp_path / "state.new").write_bytes(b"half")
    private_file.replace(file, b"first")
    private_file.replace(file, b"second")
    assert file.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [file]


def test_a_replacement_that_fails_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state"
    private_file.replace(file, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        private_file.replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def _create_once(file: Path, content: bytes) -> bytes:
    private_file.create_once(file, content)
    return file.read_bytes()


def test_of_processes_that_create_a_file_at_once_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "key"
    found = at_the_same_time(_create_once, *((file, bytes([n]) * 8) for n in range(6)))
    assert len(set(found)) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_open_or_create_creates_the_folder_and_keeps_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a" / "budget"
    for expected in (b"", b"used"):
        descriptor = private_file.open_or_create(file)
        assert os.read(descriptor, 10) == expected
        os.write(descriptor, b"used" if not expected else b"")
        os.close(descriptor)
    assert _mode(file) == 0o600


def test_no_link_is_followed_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"kept")
    link.symlink_to(target)
    with pytest.raises(OSError, match="it is a link"):
        private_file.read(link)
    with pytest.raises(OSError, match="it is a link"):
        private_file.open_or_create(link)
    with pytest.raises(OSError, match="symbolic links"), private_file.lock(link):
        pass
    private_file.create_once(link, b"other")
    assert target.read_bytes() == b"kept"
    private_file.replace(link, b"other")
    assert (target.read_bytes(), link.is_symlink()) == (b"kept", False)


def test_a_link_to_nowhere_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="it is a link"):
        private_file.open_or_create(tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"), private_file.lock(tmp_path / "link"):
        pass
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_reached_by_a_link_is_used(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    file = tmp_path / "link" / "state"
    private_file.replace(file, b"a")
    assert private_file.read(file) == b"a"
    with private_file.lock(tmp_path / "link" / "lock"):
        pass


def test_reading_takes_the_rights_of_others_away(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"a")
    (tmp_path / "key").chmod(0o664)
    assert private_file.read(tmp_path / "key") == b"a"
    assert _mode(tmp_path / "key") == 0o600


def test_a_huge_file_is_refused_and_not_read_in_part(tmp_path: Path) -> None:
    (tmp_path / "list").touch()
    os.truncate(tmp_path / "list", 2**40)
    with pytest.raises(OSError, match="it has more than 256 MB"):
        private_file.read(tmp_path / "list")


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"):
        private_file.read(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"):
        private_file.open_or_create(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o700, False), (0o755, False), (0o775, True), (0o707, True), (0o1777, True)]
)
def test_a_folder_is_open_to_others_if_they_may_write_to_it(mode: int, expected: bool, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    assert private_file.is_open_to_others(folder) is expected
    assert private_file.is_open_to_others(tmp_path / "missing") is False


def test_a_folder_of_another_user_is_open_to_that_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert private_file.is_open_to_others(folder) is (owner != 0)
