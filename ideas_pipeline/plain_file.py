"""Read files that may not be what they should be: only regular files of bounded size are read, and nothing blocks.

A pipe would block for ever, a device can be endless, and a huge file exhausts the memory. Errors are the operating
system's (OSError), with a reason that completes "… cannot be read:", and nothing of the file's content.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_MB = 2**20


def open_plain(file: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file that exists, and return its descriptor. With ``os.O_NOFOLLOW``, a link is refused.

    Raises:
        OSError: the file does not exist, is not a regular file, or may not be opened.
    """
    _check(file, flags)  # before it is opened, because opening a device can already have an effect
    descriptor = os.open(file, flags | os.O_NONBLOCK)
    try:
        _check_kind(os.fstat(descriptor), file)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_database(file: Path, flags: int = os.O_RDONLY) -> None:
    """Check a file that SQLite will open. ``flags``: as for ``open_plain``.

    It is not opened here: closing it would free the locks that SQLite has on it in this process
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).

    Raises:
        OSError: the file does not exist, is not a regular file, or may not be read.
    """
    _check(file, flags)
    if not os.access(file, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


def read(file: Path, largest: int, flags: int = os.O_RDONLY) -> bytes:
    """The content of a regular file of at most ``largest`` bytes. ``flags``: as for ``open_plain``. Raises OSError."""
    with os.fdopen(open_plain(file, flags), "rb") as opened:
        return read_opened(opened, file, largest)


def read_opened(opened: BinaryIO, file: Path, largest: int) -> bytes:
    """The content of a file of at most ``largest`` bytes that is open. Raises OSError."""
    size = os.fstat(opened.fileno()).st_size  # read(largest) would allocate that much memory first
    content = opened.read() if size <= largest else b""
    if max(size, len(content)) > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest / _MB:g} MB", str(file))
    return content


def _check(file: Path, flags: int) -> None:
    if flags & os.O_NOFOLLOW and file.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and no link is followed here", str(file))
    _check_kind(file.stat(), file)


def _check_kind(found: os.stat_result, file: Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file, but a pipe, a socket or a device", str(file))
