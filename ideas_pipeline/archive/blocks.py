"""The archive's file format: standard zstd, readable with ``zstd -dc``, and by halves where a process was killed.

A file is a row of blocks. A block is a zstd frame of some records, behind a skippable zstd frame that says how long it
is. A record is a line of JSON (the header, with ``length``), then so many bytes (the body as received), then a line
feed. A block is written in one go, so what a kill tears is the last one, and that one is left out when reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa

Header = dict[str, Any]

_MAGIC = 0x184D2A50  # of a skippable frame, as the zstd format has it
_SIZES = struct.Struct("<IIII")  # magic, length of what follows in this frame, and of the block: packed, unpacked
_LEVEL = 3
BLOCK_BYTES = 1 << 20  # unpacked: large enough to pack well, small enough to be unpacked for one record of it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is: its block's first byte in ``file``, and its own first byte within the unpacked block."""

    file: Path
    block: int
    offset: int


def packed(header: Header, body: bytes) -> bytes:
    """A record as bytes."""
    return orjson.dumps(header | {"length": len(body)}) + b"\n" + body + b"\n"


def block(records: bytes | bytearray) -> bytes:
    """A block of packed records, ready to be written."""
    frame: bytes = pa.Codec("zstd", _LEVEL).compress(records, asbytes=True)
    return _SIZES.pack(_MAGIC, 8, len(frame), len(records)) + frame


def records(file: Path) -> Iterator[tuple[Place, Header, bytes]]:
    """Every whole record of ``file``, in the order in which they were written, with its place."""
    with file.open("rb") as opened:
        while True:
            at = opened.tell()
            unpacked = _unpacked(opened)
            if unpacked is None:
                return
            offset = 0
            while offset < len(unpacked):
                header, body, end = _record(unpacked, offset)
                yield Place(file, at, offset), header, body
                offset = end


def block_at(file: Path, at: int) -> bytes:
    """The unpacked block at a place. Raises OSError where the file is gone or no longer the same."""
    with file.open("rb") as opened:
        opened.seek(at)
        unpacked = _unpacked(opened)
    if unpacked is None:
        raise OSError(f"{file.name} has changed while it was read")
    return unpacked


def record_in(unpacked: bytes, offset: int) -> tuple[Header, bytes]:
    """The record at ``offset`` of an unpacked block."""
    return _record(unpacked, offset)[:2]


def _unpacked(opened: IO[bytes]) -> bytes | None:
    """The next block; None at the end, or where it is torn."""
    sizes = opened.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    magic, rest, packed_size, unpacked_size = _SIZES.unpack(sizes)
    frame = opened.read(packed_size)
    if (magic, rest) != (_MAGIC, 8) or len(frame) < packed_size:
        return None
    try:
        unpacked: bytes = pa.Codec("zstd").decompress(frame, unpacked_size, asbytes=True)
    except OSError:  # after a power cut a file can end in zeros
        return None
    return unpacked


def _record(unpacked: bytes, offset: int) -> tuple[Header, bytes, int]:
    start = unpacked.index(b"\n", offset) + 1
    header: Header = orjson.loads(unpacked[offset:start])
    end = start + header.pop("length")
    return header, unpacked[start:end], end + 1
