"""Files that only their owner may read or write, whatever the umask: tokens, keys, locks, exports.

No link is followed to such a file, so that nobody can lead the program to another one; its folder may be reached by
links. Errors are the operating system's (OSError): each caller knows which setting names a better place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from ideas_pipeline.plain_file import open_plain, read_opened

OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR
_LARGEST = 2**28

_REMEDIES = {
    errno.ENOSPC: "Free some space on its disk.",
    errno.EDQUOT: "Free some space, or raise this user's quota.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n).",
    errno.ENFILE: "Raise this machine's limit of open files.",
    errno.EROFS: "Its file system is mounted read-only: mount it for writing.",
}


def remedy(error: OSError, otherwise: str) -> str:
    """What to do about an error of the operating system, as a sentence; ``otherwise`` if the error does not show it."""
    return _REMEDIES.get(error.errno or 0, otherwise)


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents unless they exist; nobody else may look into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)


def is_not_a_folder(folder: Path) -> bool:
    """Whether something other than a folder is at ``folder``. False if it does not exist or cannot be examined."""
    try:
        return not stat.S_ISDIR(folder.stat().st_mode)
    except OSError:
        return False


def is_open_to_others(folder: Path) -> bool:
    """Whether a user other than this one and root may change ``folder``, by owning it or by its permissions.

    False if it is missing.
    """
    try:
        found = folder.stat()
    except OSError:  # whoever creates it or writes to it says why that fails
        return False
    is_theirs = os.geteuid() != 0 and found.st_uid not in (0, os.geteuid())
    return is_theirs or bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def create(file: Path) -> BinaryIO:
    """Create ``file`` and open it for writing. Raises FileExistsError, also for a link."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    os.fchmod(descriptor, OWNER_ONLY)  # a umask of 277, say, takes the owner's right to write
    return os.fdopen(descriptor, "wb")


def open_or_create(file: Path) -> int:
    """Open ``file`` to read and write it in place, and create it and its folder if missing. Return its descriptor."""
    try:
        return open_plain(file, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        make_folder(file.parent)
        with suppress(FileExistsError):
            create(file).close()
        return open_plain(file, os.O_RDWR | os.O_NOFOLLOW)


def read(file: Path) -> bytes:
    """The content of ``file``. If others have rights to it, they are taken away as far as the system lets us."""
    with os.fdopen(open_plain(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
        if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & ~OWNER_ONLY:
            with suppress(PermissionError):
                os.fchmod(opened.fileno(), OWNER_ONLY)
        return read_opened(opened, file, _LARGEST)


def replace(file: Path, content: bytes) -> None:
    """Put ``content`` in place of what ``file`` holds. Readers see the old content or the new; an error keeps the old.

    The content is on disk when this returns. Two writers at once spoil each other's work: hold a ``lock`` if there can
    be two. The new file's name is fixed, so a killed process leaves one copy at most, and the next writer removes it.
    """
    with replacing(file) as new:
        _write(new, content)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield the path of a new file, which replaces ``file`` unless the ``with`` block raises an error."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    try:
        yield new
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def create_once(file: Path, content: bytes) -> None:
    """Create ``file`` with ``content`` unless it exists. Of several processes at once, one wins."""
    new = file.with_name(f"{file.name}.{os.urandom(4).hex()}.new")
    try:
        _write(new, content)
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink(missing_ok=True)


def lock(file: Path, *, poll_interval: float = 0.05, is_singleton: bool = False) -> FileLock:
    """A lock between threads and processes, not yet acquired. The system frees the lock of a process that dies.

    Args:
        file: the lock's own file, which stays behind. Its folder must exist when the lock is acquired.
        poll_interval: seconds between two attempts to acquire it.
        is_singleton: whether every call with this ``file`` returns the same object, so that a thread can see that it
            holds the lock already.
    """
    return FileLock(file, mode=OWNER_ONLY, poll_interval=poll_interval, is_singleton=is_singleton)


def _write(file: Path, content: bytes) -> None:
    with create(file) as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
