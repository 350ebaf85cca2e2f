"""The contestants: the command of each for a step, and the rows that its database then has."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline_tests.benchmarks.community import STREAMS
from ideas_pipeline_tests.benchmarks.reading import IN_FLIGHT
from ideas_pipeline_tests.cli.command import environment

STEPS = ("first", "unchanged", "changed", "full")
OURS, DLT, DLT_WHOLE, BARE = CONTESTANTS = ("ours", "dlt", "dlt, all children", "bare")

_SAME = f"""\
limits: {{requests_per_second: null, concurrency: {IN_FLIGHT}}}
streams:
  users: {{probe: total}}
"""
_FLAT = "path: {0}, each: null, since: {{parameter: updated_since, column: updated_at}}"
_OFFSETS = ", paging: {{style: offset, offset_parameter: offset, page_parameter: null, first: null}}"


def _contract(stream: str) -> str:
    streams = (f"  {name}: {{{stream.format(name)}}}\n" for name in ("ideas", "comments", "votes"))
    return _SAME + "".join(streams)


SHAPES = {"children": _SAME, "flat": _contract(_FLAT), "offsets": _contract(_FLAT + _OFFSETS)}
"""Our contract for each shape of lists: children of each parent, or flat lists with ``updated_since``, in pages by
number or by offset."""


@dataclass(frozen=True)
class Place:
    """Where a contestant works.

    Attributes:
        folder: Its own folder.
        database: The URL of its own database.
        api: The base URL of the API's server.
        shape: One of ``SHAPES``.
    """

    folder: Path
    database: str
    api: str
    shape: str


@dataclass(frozen=True)
class Command:
    """A command and its environment. It fails if it does not do all of its work."""

    arguments: list[str]
    environment: dict[str, str]


def command(contestant: str, step: str, place: Place, dlt_python: Path | None) -> Command | None:
    """What a contestant runs for a step; None if it does not take part.

    Args:
        contestant: One of ``CONTESTANTS``.
        step: One of ``STEPS``.
        place: Where it works.
        dlt_python: The Python of dlt's environment; None: dlt does not take part.
    """
    variables = environment(PYTHONWARNINGS="ignore")
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # pip has compiled dlt, so we may be compiled, too
    is_night = step in ("unchanged", "changed")
    if contestant == OURS:
        ours = [str(Path(sys.executable).parent / "ideas-pipeline"), "sync", "--json"]
        return Command(ours + (["--full"] if step == "full" else []), variables | _settings(place))
    if contestant == BARE:
        arguments = [place.api, place.shape, str(place.folder / "latest"), *(["night"] if is_night else [])]
        return Command([sys.executable, "-m", _module("bare"), *arguments], variables)
    if dlt_python is None or (contestant == DLT_WHOLE and not (is_night and place.shape == "children")):
        return None
    step = "whole" if contestant == DLT_WHOLE else "night" if is_night else step
    arguments = [place.api, place.shape, _for_dlt(place.database), str(place.folder / "dlt"), step]
    return Command([str(dlt_python), "-m", _module("dlt_pipeline"), *arguments], variables)


def rows(contestant: str, database: str) -> dict[str, int]:
    """The number of live rows of each stream in a contestant's database; empty for the bare script, which has none."""
    if contestant == BARE:
        return {}
    url = sa.make_url(database)
    schema = "community." if contestant != OURS and url.get_backend_name() == "postgresql" else ""
    live = " WHERE _deleted_at IS NULL" if contestant == OURS else ""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {schema}{name}{live}").scalar_one()
            for name in STREAMS
        }


def _settings(place: Place) -> dict[str, str]:
    contract = place.folder / "contract.yaml"
    contract.write_text(SHAPES[place.shape])
    return {
        "IDEAS_API_BASE_URL": f"{place.api}v2/",
        "IDEAS_CLIENT_ID": "benchmark",
        "IDEAS_CLIENT_SECRET": "not-a-secret-of-anyone",
        "IDEAS_STATE_DIR": str(place.folder / "state"),
        "IDEAS_WAREHOUSE_URL": place.database,
        "IDEAS_CONTRACT": str(contract),
    }


def _module(name: str) -> str:
    return f"ideas_pipeline_tests.benchmarks.{name}"


def _for_dlt(database: str) -> str:
    """The URL as dlt needs it: without a driver, and with a host, even if it names the folder of a socket."""
    url = sa.make_url(database)
    if url.get_backend_name() == "sqlite":
        return database
    return str(url.set(drivername="postgresql", host="localhost").render_as_string(hide_password=False))
