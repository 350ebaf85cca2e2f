"""``ideas-pipeline sync``: fill the warehouse, and say what was read and what came of it."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ideas_pipeline.ideas_api.contract import Contract
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.results import RunResult

_EXIT_CODES = {"complete": 0, "failed": 1, "incomplete": 3}

FIRST_QUERY = """\
SELECT i.title, c.title AS challenge, COUNT(*) AS comments
FROM ideas i
JOIN challenges c ON c.community = i.community AND c.id = i.challenge_id
JOIN comments m ON m.community = i.community AND m.idea_id = i.id AND m._deleted_at IS NULL
WHERE i.community = '{community}' AND i._deleted_at IS NULL
GROUP BY i.id, i.title, c.title ORDER BY comments DESC LIMIT 10;"""


@click.command()
@click.option("--only", multiple=True, metavar="STREAM", help="Sync this stream alone, such as ideas. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for machines.")
def sync(only: Sequence[str], as_json: bool) -> None:
    """Read the community and bring the warehouse up to date.

    What was read is kept whatever happens later; the same community twice changes nothing.

    \b
    Examples:  ideas-pipeline sync
               ideas-pipeline sync --only ideas --only comments --json
    """
    from ideas_pipeline.ideas_api.contract_file import load_contract
    from ideas_pipeline.settings import SettingsError, load_settings

    settings = load_settings()
    if settings.simulated:
        raise SettingsError(
            "IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET are not set. "
            "Run `ideas-pipeline init`, or `ideas-pipeline demo` for a simulated community."
        )
    contract = load_contract(settings.contract)
    if unknown := [name for name in only if name not in contract.streams]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(contract.streams)}", param_hint="--only")
    raise click.exceptions.Exit(run(settings, contract, only=only, as_json=as_json))


def run(settings: Settings, contract: Contract, *, only: Sequence[str] = (), as_json: bool = False) -> int:
    """Sync, print what came of it, and return the exit code."""
    from ideas_pipeline.cli.connect import connect
    from ideas_pipeline.cli.failures import CONFIGURATION_ERRORS, Misconfigured
    from ideas_pipeline.cli.output import progress, say
    from ideas_pipeline.sync.engine import sync_community

    with connect(settings, contract) as (api, warehouse):
        with api.alone("ideas-pipeline sync", say), progress() as shown:
            result = sync_community(
                api,
                warehouse,
                settings.community,
                streams=list(only) or None,
                mass_absence_percent=settings.mass_absence_percent,
                progress=shown,
            )
        url = warehouse.engine.url
    if as_json:
        print(_as_json(result, url))
    else:
        _print(result, url, settings.community)
    if any(isinstance(s.error, CONFIGURATION_ERRORS) for s in result.streams):
        return Misconfigured.exit_code
    return _EXIT_CODES[result.verdict]


def _as_json(result: RunResult, url: sa.URL) -> str:
    from ideas_pipeline.cli.output import place

    shown = {
        "run_id": result.run_id,
        "verdict": result.verdict,
        "changed": result.changed,
        "warehouse": place(url),
        "streams": [
            {f.name: getattr(s, f.name) for f in dataclasses.fields(s) if f.name != "error"} for s in result.streams
        ],
    }
    return json.dumps(shown, indent=2)


def _print(result: RunResult, url: sa.URL, community: str) -> None:
    from ideas_pipeline.cli.output import console, place, table

    headers = ["stream", "scopes", "requests", "seen", "inserted", "updated", "unchanged", "rejected", "complete?"]
    rows = [
        (s.stream, s.scopes, s.requests, s.seen, s.inserted, s.updated, s.unchanged, s.rejected, _complete(s.verdict))
        for s in result.streams
    ]
    out = console()
    out.print(table(headers, rows))
    for s in result.streams:
        if s.reason:
            out.print(f"{s.stream} {'failed' if s.verdict == 'failed' else 'is incomplete'}: {s.reason}", markup=False)
        if s.absent:
            out.print(f"{s.stream}: {s.absent:,} no longer at the source, marked in _deleted_at.")
        if s.held:
            out.print(f"{s.stream}: {s.held:,} missing, too many at once to be believed; kept (see _absences).")
        if s.rejected:
            out.print(f"{s.stream}: {s.rejected:,} records could not be read; see _rejected_records for why.")
    if result.verdict == "complete" and not result.changed:
        out.print("Nothing changed: the warehouse was already true to the community.")
    out.print(f"Warehouse: {place(url)}", markup=False)
    out.print("A first query, the most discussed ideas:\n")
    if url.get_backend_name() == "sqlite" and not shutil.which("sqlite3"):
        out.print("(the sqlite3 command is not installed here: apt-get install sqlite3)")
    print(query_command(url, FIRST_QUERY.format(community=community)))


def _complete(verdict: str) -> str:
    return "yes" if verdict == "complete" else "no"


def query_command(url: sa.URL, query: str) -> str:
    """A shell command that runs ``query`` in the warehouse at ``url``, or the query where no shell is known for it."""
    if url.get_backend_name() == "sqlite":
        return f'sqlite3 -box {shlex.quote(url.database or ":memory:")} "{query}"'
    if url.get_backend_name() == "postgresql":
        plain = url.create("postgresql", url.username, host=url.host, port=url.port, database=url.database)
        return f'psql {shlex.quote(plain.render_as_string())} -c "{query}"'
    return query
