"""``ideas-pipeline fit``: write the contract file from the live API, and from files that describe it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import lines, options
from ideas_pipeline.text import counted

if TYPE_CHECKING:
    from ideas_pipeline.fit.draft import Draft, Question
    from ideas_pipeline.fit.evidence import Exchange
    from ideas_pipeline.settings import Settings

# A person waits, so an API that cannot be reached is reported soon.
_ATTEMPTS, _SECONDS = 2, 60
_DEFAULT_FILE = Path("contract.yaml")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file that shows the API: OpenAPI, HAR, curl lines or a saved JSON answer. Repeatable.",
)
@click.option(
    "--requests",
    default=60,
    show_default=True,
    type=click.IntRange(min=0),
    help="The most requests to send; 0 reads the files alone.",
)
@click.option("--dry-run", is_flag=True, help="Print the change, and write nothing.")
@options.as_json
@options.community
def fit(file: Path | None, sources: tuple[Path, ...], requests: int, dry_run: bool, as_json: bool) -> None:
    """Write or update the contract FILE.

    The default is IDEAS_CONTRACT, else contract.yaml, or contract-NAME.yaml for a community of ideas_pipeline.yaml.

    It tries known logins, headers, paths and parameters, and compares names, kinds and values of the records with the
    columns. It only reads, at the contract's rate. Comments and order of an existing file stay. Each line that it
    writes says what was seen; no value of a record and no secret gets into the file or onto the screen. On a terminal
    it asks what it could not see; elsewhere it prints these questions.

    \b
    Examples:  ideas-pipeline fit
               ideas-pipeline fit --from visit.har --from openapi.json --dry-run
               ideas-pipeline fit --from curl.txt --requests 0

    \b
    Exit codes:  0 every value is known, 1 the API failed, 2 wrong configuration, file or credentials,
                 3 some questions are open.
    """
    from ideas_pipeline.contract.yaml_file import read
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.fit import write
    from ideas_pipeline.fit.draft import Draft
    from ideas_pipeline.fit.files import read_file
    from ideas_pipeline.sync.contract_fit import load_fitting_contract, misfits

    settings = options.load_settings()
    exchanges = [exchange for source in sources for exchange in read_file(source)]
    if not exchanges and (settings.simulated or not requests):
        missing, do = options.without_client(settings)
        raise SettingsError(
            f"There is nothing to look at: {missing}, and --from names no file. {do}, or name a file that shows the API"
            " with --from."
        )
    file = file or settings.contract or _default_file(settings)
    before = write.present_text(file)
    in_force = load_fitting_contract(file if before else None)
    draft = Draft(in_force.model_dump(by_alias=True), misfits, frozenset(read(file).places if before else ()))
    _infer(draft, settings, exchanges, requests)
    if not draft.lines and not draft.confirmed and not draft.questions:
        raise SettingsError(f"Nothing was found. {' '.join(f'Note: {note}.' for note in draft.notes)}".strip())
    if sys.stdin.isatty() and not as_json and not dry_run:
        _ask(draft)
    after = write.new_text(before, list(draft.lines.values()))
    if not dry_run and after != before:
        write.save(file, after)
        load_fitting_contract(file)
    _print(draft, file, (before, after), dry_run=dry_run, as_json=as_json)
    if not as_json and not dry_run and (before or after):
        click.echo()
        next_steps = f"Next: {_to_set(settings, file)}, then run: ideas-pipeline check"
        lines.write(options.for_community(next_steps, settings))
    raise click.exceptions.Exit(3 if draft.open_questions() else 0)


def _default_file(settings: Settings) -> Path:
    if settings.file is None:
        return _DEFAULT_FILE
    return settings.file.with_name(f"contract-{settings.community}.yaml")


def _to_set(settings: Settings, file: Path) -> str:
    if settings.file is None:
        return f"set IDEAS_CONTRACT={file} in .env"
    try:
        named = file.resolve().relative_to(settings.file.parent.resolve())
    except ValueError:
        named = file.resolve()
    return f"write `contract: {named}` at {settings.community} in {settings.file}"


def _infer(draft: Draft, settings: Settings, exchanges: Sequence[Exchange], requests: int) -> None:
    """Work out the contract from the files and the API. Raises SettingsError, IdeasApiError."""
    from ideas_pipeline.app import open_client
    from ideas_pipeline.fit.fit import infer
    from ideas_pipeline.fit.recorded import address_of, below
    from ideas_pipeline.fit.session import Session
    from ideas_pipeline.ideas_api.auth import Credentials

    in_force = draft.contract
    credentials = None
    if settings.client_id and settings.client_secret:
        credentials = Credentials(settings.client_id, settings.client_secret.get_secret_value())
    configured = settings.base_url(in_force) if settings.api_base_url or settings.api_region else None
    address = address_of(exchanges, configured)
    recorded = below(exchanges, address)
    if exchanges and not recorded:
        draft.notes.append(f"no request in the files is below the API's address, {address}")
    is_unconfirmed = bool(address) and not configured
    if is_unconfirmed:
        where = settings.named("api_base_url") + ("" if settings.file else " in .env")
        draft.notes.append(
            f"the API's address in the files is probably {address}, so nothing was sent there: set {where}, then run "
            "fit again"
        )
    # Only the operator decides which host receives client id and secret: a HAR contains requests to many hosts.
    if credentials is None or not requests or is_unconfirmed:
        infer(draft, recorded, None, credentials)
        return
    limits = in_force.limits.model_copy(update={"attempts": _ATTEMPTS, "deadline": _SECONDS})
    client = open_client(settings, in_force.model_copy(update={"limits": limits}))
    with _progress() as say:
        infer(draft, recorded, Session(client.transport, credentials, requests, say), credentials)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being tried: a changing line on a terminal, lines elsewhere; both on standard error."""
    from ideas_pipeline.cli.output import as_text, console

    if sys.stderr.isatty():
        with console(sys.stderr).status("Asking the API …") as status:
            yield lambda what: status.update(as_text(f"Asking the API … {what}"))
    else:
        shown: list[str] = []

        def say(what: str) -> None:
            if not shown or shown[-1] != what:
                shown.append(what)
                lines.say(what)

        yield say


def _ask(draft: Draft) -> None:
    """Ask the open questions one at a time, the most important first. Enter accepts a proposal, else skips."""
    from ideas_pipeline.fit.questions import answer, shown

    skipped: set[Question] = set()
    while waiting := [q for q in draft.open_questions() if q.place and q not in skipped]:
        question = waiting[0]
        skipped.add(question)
        click.echo()
        lines.write(question.text)
        place = ".".join(map(str, question.place))
        default = shown(question.proposal) if question.proposal is not None else ""
        while text := click.prompt(
            place if default else f"{place} (Enter to skip)", default=default, show_default=bool(default)
        ):
            if answer(draft, question, text):
                break
            click.echo("This does not make a valid contract. Try again, or press Enter to skip.")
            default = ""


def _print(draft: Draft, file: Path, texts: tuple[str, str], *, dry_run: bool, as_json: bool) -> None:
    from ideas_pipeline.fit import write
    from ideas_pipeline.fit.questions import as_line

    before, after = texts
    questions = draft.open_questions()
    if as_json:
        document = {
            "file": str(file),
            "written": not dry_run and after != before,
            "lines": [
                {"place": ".".join(map(str, e.place)), "value": e.value, "seen": e.reason} for e in draft.lines.values()
            ],
            "confirmed": [".".join(map(str, place)) for place in draft.confirmed],
            "questions": [
                {"place": ".".join(map(str, q.place)), "text": q.text, "proposal": q.proposal} for q in questions
            ],
            "notes": draft.notes,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    count = counted(len(draft.lines), "value")
    if dry_run:
        click.echo(write.difference(before, after, file) or f"{file} needs no change.")
    elif after != before:
        lines.write(f"Wrote {count} to {file}, each with what was seen. Confirmed: {len(draft.confirmed):,}.")
    else:
        subject = file if before else "The default contract"
        lines.write(f"{subject} needs no change. Confirmed: {counted(len(draft.confirmed), 'value')}.")
    for note in draft.notes:
        lines.write(f"Note: {note}.")
    if questions:
        click.echo("\nOpen, most important first. Write the lines into the file, then run fit again:")
    for number, question in enumerate(questions, 1):
        lines.write(f"{number}. {question.text}")
        if question.place:
            lines.write(f"     {as_line(question)}")
