"""``ideas-pipeline simulate``: serve a stand-in for the Ideas API."""

from __future__ import annotations

import errno
import json
import os
import shlex
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import click

from ideas_pipeline import private_file
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.yaml_file import to_yaml
from ideas_pipeline.errors import ContractError
from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.community import SIZES, Scale, generate
from ideas_pipeline.simulator.control import CLOCK_PATH, read_faults
from ideas_pipeline.simulator.dialects import DIALECTS, Dialect, combined, quirks_of
from ideas_pipeline.simulator.folder import FolderError, read_folder
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.restless import restless
from ideas_pipeline.simulator.simulator import Simulator, serve


@click.command()
@click.option(
    "--scale", type=click.Choice(list(SIZES)), default="small", show_default=True, help="Size of the community."
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same community.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    help="Serve this folder instead: one *.jsonl file per table, with fields named as columns.",
)
@click.option("--living", is_flag=True, help="Let the community live, by a clock that a request moves.")
@click.option(
    "--hidden-changes",
    is_flag=True,
    help="With --living: include changes that no parent record shows, such as deleted accounts.",
)
@click.option(
    "--latency-ms",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Delay of each response, in milliseconds.",
)
@click.option("--rate-limit", type=click.IntRange(min=1), help="Requests per second; more are refused with 429.")
@click.option(
    "--token-seconds",
    default=3600,
    show_default=True,
    type=click.IntRange(min=1),
    help="Lifetime of an access token, in seconds.",
)
@click.option("--token-uses", type=click.IntRange(min=1), help="Number of calls that an access token allows.")
@click.option("--page-cap", type=click.IntRange(min=1), help="The largest page that is ever returned.")
@click.option(
    "--fault", "fault_rules", multiple=True, help='A fault as JSON, such as \'{"kind": "status", "every": 7}\'.'
)
@click.option(
    "--dialect",
    "dialects",
    multiple=True,
    type=click.Choice(list(DIALECTS)),
    metavar="NAME",
    help="A habit of real APIs, such as expired-as-200; can be repeated. --dialects lists them.",
)
@click.option(
    "--dialects",
    "listed",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: _list_dialects(context) if wanted else None,
    help="List the dialects and exit.",
)
@click.option("--contract", type=click.Path(path_type=Path), help="Contract file, merged over the default one.")
@click.option("--client-id", help="The API client's id; random unless given.")
@click.option("--client-secret", help="The API client's secret; random unless given.")
@click.option("--endpoint", help="The API client's endpoint: auth codes are sent to this URL, not returned.")
@click.option(
    "--tls",
    "certificate",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Serve with TLS: a PEM file with a key and its certificate.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one."
)
@click.option(
    "--ready-file", type=click.Path(path_type=Path), help="Write URL, client id and secret to this file when ready."
)
def simulate(
    scale: str,
    seed: int,
    folder: Path | None,
    living: bool,
    hidden_changes: bool,
    latency_ms: int,
    rate_limit: int | None,
    token_seconds: int,
    token_uses: int | None,
    page_cap: int | None,
    fault_rules: tuple[str, ...],
    dialects: tuple[str, ...],
    contract: Path | None,
    client_id: str | None,
    client_secret: str | None,
    endpoint: str | None,
    certificate: Path | None,
    host: str,
    port: int,
    ready_file: Path | None,
) -> None:
    """Serve a simulated Ideas API until it is stopped.

    It is a stand-in: its community is made up (or read from a folder), and its API follows the contract.

    With --living, people post, comment, vote, edit and delete whenever you move the clock. The response has the new
    time and the number of events of each kind. The same seed gives the same life.
    Faults are added and removed by requests, too.

    \b
    Examples:  ideas-pipeline simulate --scale medium --latency-ms 40
               ideas-pipeline simulate --endpoint http://127.0.0.1:8765/
               ideas-pipeline simulate --from my_community/ --fault '{"kind": "status", "status": 503, "every": 7}'
               ideas-pipeline simulate --living --port 8080
               ideas-pipeline simulate --dialect expired-as-200 --dialect own-page-size
    Then:      curl http://127.0.0.1:8080/_control/clock -d '{"days": 1}'
               curl http://127.0.0.1:8080/_control/faults -d '{"kind": "status", "status": 503}'
               curl http://127.0.0.1:8080/_control/faults -X DELETE
    """
    if hidden_changes and not living:
        raise click.UsageError("--hidden-changes has no effect without --living. Add --living.")
    if living and folder:
        raise click.UsageError("--living makes its own community and cannot serve a folder. Leave out --from.")
    try:
        rules = [rule for text in fault_rules for rule in read_faults(text)]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    try:
        dialect = combined(dialects)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--dialect") from None
    if living and (dialect.changes or dialect.restless):
        raise click.UsageError(
            "--living makes ids, texts and times of its own, and moves by its clock alone. Leave out the dialects that "
            "change the community."
        )
    if dialect.tls and not certificate:
        raise click.UsageError("http-links needs an API behind TLS. Add --tls with a certificate and its key.")
    credentials = {"client_id": client_id, "client_secret": client_secret}
    given = {name: value for name, value in credentials.items() if value}
    try:
        tables = read_folder(folder) if folder else generate(cast("Scale", scale), seed)
        dialect.change(tables)
        simulator = Simulator(
            _spoken(load_contract(contract), dialect),
            tables,
            living=LivingCommunity(tables, seed, hidden_changes=hidden_changes) if living else None,
            client=ApiClient(
                **given, endpoint=endpoint, token_seconds=token_seconds, token_uses=token_uses or dialect.token_uses
            ),
            latency=latency_ms / 1000,
            rate_limit=rate_limit or dialect.rate_limit,
            page_cap=page_cap or dialect.page_cap,
            quirks=quirks_of(dialect),
            host=host,
            port=port,
            tls=_server_context(certificate) if certificate else None,
        )
    except (ContractError, FolderError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    if dialect.restless:
        simulator.before_page = restless(seed)
    for rule in (*rules, *dialect.faults):
        simulator.faults.add(rule)
    with _ready_file(ready_file) as write:
        try:
            serve(simulator, lambda ready: _announce(ready, endpoint, dialect, write))
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "the host name is not valid"
            raise click.ClickException(f"cannot listen on {host}, port {port}: {why}.") from None


def _server_context(certificate: Path) -> ssl.SSLContext:
    """The context of a server with this certificate. Raises BadParameter if the file has none that can be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except OSError:
        raise click.BadParameter(f"{certificate} is not a PEM file with a key and its certificate.") from None
    return context


@contextmanager
def _ready_file(file: Path | None) -> Iterator[Callable[[str], None]]:
    """Yield a function that writes a text to ``file``, atomically and readable by its owner only.

    Raises BadParameter at once if the file cannot be written.
    """
    if file is None:
        yield lambda text: None
        return
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        private_file.create(unfinished).close()
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be written: {error.strerror}.", param_hint="--ready-file") from None

    def write(text: str) -> None:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)

    try:
        yield write
    finally:
        unfinished.unlink(missing_ok=True)


def _list_dialects(context: click.Context) -> None:
    for name, dialect in DIALECTS.items():
        click.echo(f"{name:28} {dialect.about}")
    context.exit()


def _spoken(contract: Contract, dialect: Dialect) -> Contract:
    """The contract of an API that speaks the dialect."""
    return Contract.model_validate(merge(contract.model_dump(by_alias=True), dialect.contract))


def _announce(
    simulator: Simulator, endpoint: str | None, dialect: Dialect, write_ready_file: Callable[[str], None]
) -> None:
    api = {
        "base_url": simulator.base_url,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
    }
    click.echo(
        "Ideas API (simulated) at {base_url}  client id {client_id}  client secret {client_secret}".format(**api)
    )
    click.echo(
        "This is a stand-in for the Medallia Ideas API, not the real one. To use it, paste into another shell:\n"
    )
    variables = {
        "IDEAS_API_BASE_URL": simulator.base_url,
        "IDEAS_CLIENT_ID": simulator.client_id,
        "IDEAS_CLIENT_SECRET": simulator.client_secret,
    }
    if endpoint:
        url = urlsplit(endpoint)
        variables |= {"IDEAS_CALLBACK_PORT": str(url.port or 80), "IDEAS_CALLBACK_PATH": url.path or "/"}
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if dialect.contract:
        click.echo("\nThe client's contract (IDEAS_CONTRACT) has to say:\n")
        click.echo(to_yaml(dialect.contract))
    if simulator.living:
        clock = urlsplit(simulator.base_url)._replace(path=CLOCK_PATH).geturl()
        click.echo(f"\nThe community's clock shows {simulator.living.now:%Y-%m-%d %H:%M} UTC. To let a day pass:\n")
        click.echo(f"curl {clock} -d '{{\"days\": 1}}'")
    click.echo("\nStop it with Ctrl-C.")
    write_ready_file(json.dumps(api))
