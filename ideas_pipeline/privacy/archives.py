"""The archives of a community: which machines have one, and which of them are free from erased people.

An archive is a folder of one machine. Other machines cannot change it, so each machine frees its own one from people
who were erased elsewhere when its next run begins. The table ``_archives`` says how far each one has come.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline import private_file
from ideas_pipeline.archive.convert import is_empty
from ideas_pipeline.tables.bookkeeping import ARCHIVES, ERASURES
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.warehouse import Warehouse

_ID_FILE = "archive.id"


class Archive:
    """The archive of a community on this machine.

    Args:
        folder: its folder, which may not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_empty(self) -> bool:
        return is_empty(self.folder)

    @property
    def id(self) -> str | None:
        """The number that the folder has; None if it has none yet. Raises OSError."""
        try:
            return private_file.read(self.folder / _ID_FILE).decode("ascii", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def made_id(self) -> str:
        """The number that the folder has, created if necessary. Raises OSError."""
        if (known := self.id) is None:
            private_file.make_folder(self.folder)
            private_file.create_once(self.folder / _ID_FILE, secrets.token_hex(8).encode())
            known = self.id
        return known or ""

    @property
    def place(self) -> str:
        """The machine and the folder, for people."""
        return f"{socket.gethostname()}:{self.folder.resolve()}"


def erasures(tx: Transaction) -> int:
    """The number of erasures of the community so far."""
    return tx.scalar(sa.select(sa.func.count()).select_from(ERASURES).where(tx.owns(ERASURES))) or 0


def is_noted(tx: Transaction, archive: Archive) -> bool:
    """Whether an archive is noted, at its place, and free from everybody who was erased so far. Raises OSError."""
    row = tx.execute(sa.select(ARCHIVES).where(tx.owns(ARCHIVES), ARCHIVES.c.archive == archive.id)).first()
    return row is not None and row.place == archive.place and row.erasures >= erasures(tx)


def note(tx: Transaction, archive: Archive) -> bool:
    """Note an archive of this machine. Whether people were erased since it was last freed from them. Raises OSError."""
    id_ = archive.made_id()
    of_community = tx.execute(sa.select(ARCHIVES.c.archive, ARCHIVES.c.erasures).where(tx.owns(ARCHIVES))).all()
    known = {row.archive: row.erasures for row in of_community}
    so_far = erasures(tx)
    if id_ in known:
        noted = sa.update(ARCHIVES).where(tx.owns(ARCHIVES), ARCHIVES.c.archive == id_)
        tx.execute(noted.values(place=archive.place))
        return bool(known[id_] < so_far)
    # Before this table existed, one machine had the only archive, and every erasure reached it.
    is_clean = archive.is_empty or not known
    row = {
        "community": tx.community,
        "archive": id_,
        "place": archive.place,
        "noted_at": datetime.now(UTC),
        "erasures": so_far if is_clean else 0,
    }
    tx.execute(sa.insert(ARCHIVES), [row])
    return not is_clean and so_far > 0


def note_freed(warehouse: Warehouse, archive: Archive, so_far: int) -> None:
    """Note that an archive was freed from the people of the first ``so_far`` erasures.

    Raises OSError, WarehouseError.
    """
    if (id_ := archive.id) is not None:
        with warehouse.writing() as tx:
            noted = sa.update(ARCHIVES).where(tx.owns(ARCHIVES), ARCHIVES.c.archive == id_)
            tx.execute(noted.values(erasures=so_far))


def elsewhere(warehouse: Warehouse, archive: Archive | None) -> list[str]:
    """The places of archives on other machines. Raises WarehouseError."""
    with warehouse.reading() as tx:
        return [row.place for row in _others(tx, archive)]


def left_elsewhere(warehouse: Warehouse, archive: Archive | None, so_far: int | None) -> list[str]:
    """Sentences about archives on other machines that can still hold erased people.

    Args:
        warehouse: the warehouse.
        archive: the archive of this machine, if it has one.
        so_far: look at the people of so many erasures; None means all.

    Raises:
        WarehouseError: the warehouse cannot be read.
    """
    with warehouse.reading() as tx:
        wanted = erasures(tx) if so_far is None else so_far
        places = [row.place for row in _others(tx, archive) if row.erasures < wanted]
    if not places:
        return []
    return [
        f"Archives on other machines cannot be reached from here and can still hold the person: {named(places)}."
        " The next sync there erases the person from its archive; run the same command again afterwards to see that it"
        " has. If an archive does not exist any more, delete its row in the table _archives."
    ]


def _others(tx: Transaction, archive: Archive | None) -> list[sa.Row[Any]]:
    own = None
    with suppress(OSError):
        own = archive.id if archive else None
    rows = tx.execute(sa.select(ARCHIVES).where(tx.owns(ARCHIVES)).order_by(ARCHIVES.c.place))
    # An archive at this place with another number was here before, and was removed.
    return [row for row in rows if row.archive != own and (archive is None or row.place != archive.place)]


def named(places: list[str]) -> str:
    """Places in a sentence: the first three, and how many more there are."""
    more = f" and {len(places) - 3} more (see _archives)" if len(places) > 3 else ""
    return ", ".join(places[:3]) + more
