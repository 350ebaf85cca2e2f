"""``ideas-pipeline sync``: bring the warehouse up to date, and report what was read and written."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ideas_pipeline.cli import options
from ideas_pipeline.text import counted

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.run import Mode, RunResult

# Each takes about 230 MB of memory, and waits for its API most of the time.
_JOBS = 4
EXIT_CODES = {"complete": 0, "failed": 1, "incomplete": 3}

FIRST_QUERY = """\
SELECT i.title, c.title AS challenge, l.responses, l.votes
FROM mart_idea_lifecycle l
JOIN ideas i ON i.community = l.community AND i.id = l.idea_id
JOIN challenges c ON c.community = l.community AND c.id = l.challenge_id
WHERE l.community = '{community}' ORDER BY l.responses DESC, l.votes DESC LIMIT 10;"""


@click.command()
@options.only("Sync this stream alone, such as ideas.")
@click.option("--full", is_flag=True, help="Read every list, also those that seem unchanged.")
@click.option("--all", "every", is_flag=True, help="Sync every community of ideas_pipeline.yaml.")
@click.option(
    "--jobs",
    default=_JOBS,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="With --all: how many communities at a time.",
)
@options.as_json
@options.community
def sync(only: Sequence[str], full: bool, every: bool, jobs: int, as_json: bool) -> None:
    """Read what may have changed in the community, and bring the warehouse up to date.

    What was read is kept even if the sync fails later. A second sync of an unchanged community changes nothing. Each
    sync also verifies a share of what seems unchanged; with --full it reads everything.

    \b
    Examples:  ideas-pipeline sync
               ideas-pipeline sync --full
               ideas-pipeline sync --only ideas --only comments --json
               ideas-pipeline sync --all --jobs 8

    With --all, each community has a process of its own, so that one that fails leaves the others alone. The exit code
    is 1 if any failed or was stopped, 2 if any is not configured correctly, 3 if any is incomplete; the output says
    which.
    """
    from ideas_pipeline.sync.run import Full, Incremental

    if every:
        from ideas_pipeline.cli.sync_all import sync_all

        if options.chosen_community():
            raise click.UsageError("--all and --community exclude each other.")
        arguments = ["sync", *(["--full"] if full else []), *(word for name in only for word in ("--only", name))]
        raise click.exceptions.Exit(sync_all(arguments, jobs, as_json=as_json))
    if click.get_current_context().get_parameter_source("jobs") is not ParameterSource.DEFAULT:
        raise click.UsageError("--jobs needs --all: it is how many communities are synced at a time.")
    settings, contract = configured()
    options.check_names(only, contract.streams, "--only")
    mode = Full() if full else Incremental()
    raise click.exceptions.Exit(run(settings, contract, "ideas-pipeline sync", mode, only=only, as_json=as_json))


def configured() -> tuple[Settings, Contract]:
    """The settings of a real community, and its contract. Raises SettingsError, ContractError."""
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.sync.contract_fit import load_fitting_contract

    settings = options.load_settings()
    if settings.simulated:
        missing, do = options.without_client(settings)
        raise SettingsError(f"{missing}. {do}, or run `ideas-pipeline demo` for a simulated community.")
    return settings, load_fitting_contract(settings.contract)


def run(
    settings: Settings,
    contract: Contract,
    command: str,
    mode: Mode,
    *,
    only: Sequence[str] = (),
    as_json: bool = False,
    for_newcomers: bool | None = None,
) -> int:
    """Sync, print the result, and return the exit code.

    Args:
        settings: the community's settings.
        contract: its contract.
        command: the command that runs, shown to other runs that wait for the API account.
        mode: which scopes to read.
        only: the streams to sync; none syncs all that the mode covers.
        as_json: print the result as JSON.
        for_newcomers: whether to end with a first query; None: if it is the first sync of the community.
    """
    from ideas_pipeline.app import open_pipeline, rebuild_marts, run_sync
    from ideas_pipeline.cli.failures import CONFIGURATION_ERRORS, Misconfigured
    from ideas_pipeline.cli.output import progress
    from ideas_pipeline.marts.dialect import DIALECTS
    from ideas_pipeline.sync.run import Window
    from ideas_pipeline.warehouse.status import last_complete, status

    with open_pipeline(settings, contract) as pipeline:
        warehouse = pipeline.warehouse
        with warehouse.reading() as tx:
            for_newcomers = not last_complete(tx) if for_newcomers is None else for_newcomers
        with progress() as shown:
            result = run_sync(pipeline, mode, caller=command, streams=list(only) or None, progress=shown)
        if result.changed or result.verdict != "failed":
            rebuild_marts(settings, warehouse)
        url = warehouse.url
        with warehouse.reading() as tx:
            rows_there = for_newcomers and any(s.rows for s in status(tx))
    if as_json:
        print(json.dumps(options.which(settings) | _shown(result, url), indent=2))
    else:
        _print(settings, result, url)
        if rows_there and url.get_backend_name() in DIALECTS and not isinstance(mode, Window):
            _print_first_query(url, settings.community)
    if any(isinstance(s.error, CONFIGURATION_ERRORS) for s in result.streams):
        return Misconfigured.exit_code
    return EXIT_CODES[result.verdict]


def _shown(result: RunResult, url: sa.URL) -> dict[str, object]:
    from ideas_pipeline.cli.output import place

    return {
        "run_id": result.run_id,
        "verdict": result.verdict,
        "changed": result.changed,
        "warehouse": place(url),
        "streams": [s.shown() for s in result.streams],
    }


def _print(settings: Settings, result: RunResult, url: sa.URL) -> None:
    from ideas_pipeline.cli.output import console, place, problem, table

    headers = ["stream", "scopes", "requests", "seen", "inserted", "updated", "unchanged", "rejected", "complete?"]
    rows = [
        (s.stream, *(s.counts.shown()[name] for name in headers[1:-1]), _complete(s.verdict)) for s in result.streams
    ]
    out = console()
    out.print(table(headers, rows))

    def say(text: str) -> None:
        out.print(options.for_community(text, settings))

    for s in result.streams:
        if s.reason:
            say(problem(s.stream, s.verdict, s.reason))
        if s.counts.absent:
            say(f"{s.stream}: deleted at the source, and marked in _deleted_at: {counted(s.counts.absent, 'row')}.")
        if s.counts.held:
            held = f"{s.stream}: absent, and too many at once to be marked as deleted: {counted(s.counts.held, 'row')}"
            say(f"{held}. Check them: ideas-pipeline absences list")
        if s.counts.rejected:
            say(f"{s.stream}: rejected: {counted(s.counts.rejected, 'record')}. See: ideas-pipeline rejects list")
        if s.counts.rejected_embedded:
            what = f"could not be typed: {counted(s.counts.rejected_embedded, 'row')} within records"
            say(f"{s.stream}: {what}. See: ideas-pipeline rejects list")
        if s.counts.rejected_values:
            what = f"could not be typed, and null in the row: {counted(s.counts.rejected_values, 'value')}"
            say(f"{s.stream}: {what}. See: ideas-pipeline rejects list")
        if s.counts.replaced:
            what = f"broken in the responses, and \ufffd in the rows: {counted(s.counts.replaced, 'character')}"
            say(f"{s.stream}: {what}. The API cut texts, or sends another encoding than it says.")
    if result.verdict != "complete":
        say(f"What was read is loaded. Sync again; if the result is {result.verdict} again: ideas-pipeline check")
    elif not (result.changed or result.counts.rejected or result.counts.rejected_values):
        say("Nothing changed: the warehouse was already up to date.")
    say(f"Warehouse: {place(url)}")


def _print_first_query(url: sa.URL, community: str) -> None:
    from ideas_pipeline.cli.output import console

    out = console()
    out.print("A first query: the most discussed ideas.")
    out.print()
    if url.get_backend_name() == "sqlite" and not shutil.which("sqlite3"):
        out.print("(the sqlite3 command is not installed here: apt-get install sqlite3)")
    print(query_command(url, FIRST_QUERY.format(community=community)))


def _complete(verdict: str) -> str:
    return "yes" if verdict == "complete" else "no"


def query_command(url: sa.URL, query: str) -> str:
    """A shell command that runs ``query`` in the warehouse at ``url``; only the query for other databases."""
    if url.get_backend_name() == "sqlite":
        return f'sqlite3 -box {shlex.quote(url.database or ":memory:")} "{query}"'
    if url.get_backend_name() == "postgresql":
        plain = url.create("postgresql", url.username, host=url.host, port=url.port, database=url.database)
        return f'psql {shlex.quote(plain.render_as_string())} -c "{query}"'
    return query
