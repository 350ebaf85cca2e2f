"""What the archive holds: for each list, the pages of its readings, oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ideas_pipeline.archive.blocks import Place, records
from ideas_pipeline.archive.files import pages_of, runs_in

List = tuple[str, str]  # stream, scope


@dataclass(frozen=True, slots=True)
class Kept:
    """An archived page. ``received_at``: seconds since 1970."""

    place: Place
    status: int
    received_at: float


@dataclass(slots=True)
class Walk:
    """One walk of a run through a list, as far as it was archived: its pages by position, in order of arrival.

    ``bounded``: only records of certain times were asked for. ``began_at``: seconds since 1970.
    """

    run_id: str
    bounded: bool
    began_at: float
    pages: dict[int | str, Kept] = field(default_factory=dict)


def index(community: Path, since: float = 0.0) -> Mapping[List, list[Walk]]:
    """The walks through each list that are archived in the folder ``community``, oldest first.

    ``since``: seconds since 1970; pages received before are left out. A walk ends where a page is asked for again.
    """
    walks: dict[List, list[Walk]] = {}
    for run in runs_in(community):
        for file in pages_of(run):
            for place, header, _ in records(file):
                if header["received_at"] < since:
                    continue
                of_list = walks.setdefault((header["stream"], header["scope"]), [])
                position = header["position"]
                last = of_list[-1] if of_list else None
                if last is None or last.run_id != run.name or position in last.pages:
                    last = Walk(run.name, header["bounded"], header["received_at"])
                    of_list.append(last)
                last.pages[position] = Kept(place, header["status"], header["received_at"])
    for of_list in walks.values():
        of_list.sort(key=lambda walk: walk.began_at)  # a run's id need not sort by time
    return walks
