"""Faults of machine and database, and the message of a run with each of them. ``docs/faults.md`` shows this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MachineFault:
    """A fault.

    Attributes:
        title: what goes wrong.
        exit_code: of the command; None if it depends on what fails first.
        says: a part of the message.
    """

    title: str
    exit_code: int | None
    says: str


_UNREACHABLE = "Check that the server runs and can be reached from here."
MACHINE_FAULTS = {
    "warehouse": MachineFault(
        "the disk of a SQLite warehouse is full", 1, "database or disk is full. Check the free space."
    ),
    "read-only": MachineFault("the file system of a SQLite warehouse is read-only", 1, "unable to open database file."),
    "state": MachineFault(
        "the disk of the state folder is full", 2, "No space left on device. Free some space on its disk."
    ),
    "archive": MachineFault(
        "the disk of the archive is full", 0, "cannot be written (database or disk is full). The run goes on."
    ),
    "descriptors": MachineFault(
        "the process may open too few files", None, "Too many open files. Raise the limit of open files"
    ),
    "cut": MachineFault(
        "PostgreSQL ends connections",
        1,
        _UNREACHABLE,
    ),
    "crash in a merge": MachineFault("PostgreSQL crashes and starts again while a run merges", 1, _UNREACHABLE),
    "crash in the marts": MachineFault("PostgreSQL crashes and starts again in the mart build", 1, _UNREACHABLE),
    "away": MachineFault("PostgreSQL stops, or is frozen, for longer than a run waits", 1, _UNREACHABLE),
}
