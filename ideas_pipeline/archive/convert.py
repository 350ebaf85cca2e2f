"""Convert archives that earlier versions wrote: a folder per run, in it numbered files of zstd blocks.

A file is a row of blocks. A block is a zstd frame of some records, behind a skippable zstd frame with its sizes
(https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.2). A record is a line of JSON with ``length``, then as many
bytes (the body), then a line feed. The last block of a run that was killed can be torn, and is left out.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path
from typing import IO

import orjson

from ideas_pipeline.archive.files import ArchivedPage, as_os_error, create, insert, locked, run_file, run_files
from ideas_pipeline.errors import ArchiveInUse
from ideas_pipeline.late.arrow import pa
from ideas_pipeline.plain_file import open_plain

_OLD_SUFFIX = ".zst"
_MAGIC = 0x184D2A50  # of a skippable frame
_SIZES = struct.Struct("<IIII")  # magic, size of the rest of this frame, sizes of the block: compressed, uncompressed


def convert(community: Path) -> None:
    """Convert the runs of ``community`` (its folder) that are archived in the old format, and delete the old files.

    A kill loses nothing: the pages of a run are added in one transaction, each unless it is there already. They keep
    the time at which they were received, so no run is kept longer.

    Raises:
        ArchiveInUse: an earlier version is still writing to a run.
        OSError: an old file cannot be read or deleted, or its pages cannot be written.
        Both are raised once all other runs are converted.
    """
    problem: ArchiveInUse | OSError | None = None
    runs = sorted(folder for folder in community.iterdir() if folder.is_dir()) if community.is_dir() else []
    for run in runs:
        try:
            _convert_run(run, run_file(community, run.name))
        except (ArchiveInUse, OSError) as error:
            problem = problem or error
    if problem:
        raise problem


def is_empty(community: Path) -> bool:
    """Whether nothing is archived for a community, in either format."""
    return not run_files(community) and not any(community.glob(f"*/*{_OLD_SUFFIX}"))


def _convert_run(run: Path, target: Path) -> None:
    old = sorted(run.glob(f"*{_OLD_SUFFIX}"))
    if not old:
        return
    with ExitStack() as stack:
        for file in [*old, target]:
            stack.enter_context(locked(file))
        try:
            with closing(create(target)) as connection, connection:
                for file in old:
                    for page in _pages(file):
                        if not _is_there(connection, page):
                            insert(connection, page)
        except sqlite3.Error as error:
            raise as_os_error(error, target) from None
        shutil.rmtree(run)


def _is_there(connection: sqlite3.Connection, page: ArchivedPage) -> bool:
    found = connection.execute(
        "SELECT 1 FROM pages WHERE stream = ? AND scope = ? AND position = ? AND received_at = ?",
        (page.stream, page.scope, orjson.dumps(page.position).decode(), page.received_at),
    )
    return found.fetchone() is not None


def _pages(file: Path) -> Iterator[ArchivedPage]:
    with os.fdopen(open_plain(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
        while (block := _next_block(opened)) is not None:
            offset = 0
            while offset < len(block):
                start = block.index(b"\n", offset) + 1
                header = orjson.loads(block[offset:start])
                end = start + header.pop("length")
                # A list whose URL could not be built was archived as not found, without the status of a response.
                header["status"] = header.get("status") or HTTPStatus.NOT_FOUND.value
                yield ArchivedPage(**header, body=block[start:end])
                offset = end + 1


def _next_block(opened: IO[bytes]) -> bytes | None:
    """The next block, uncompressed; None at the end, and if it is torn."""
    sizes = opened.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    magic, rest, compressed_size, size = _SIZES.unpack(sizes)
    frame = opened.read(compressed_size)
    if (magic, rest) != (_MAGIC, 8) or len(frame) < compressed_size:
        return None
    try:
        block: bytes = pa.Codec("zstd").decompress(frame, size, asbytes=True)
    except OSError:  # after a power cut a file can end in zeros
        return None
    return block
