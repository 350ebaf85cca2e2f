"""``ideas-pipeline demo``: sync two simulated communities into one warehouse of their own, and report on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli.sync import run

if TYPE_CHECKING:
    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.settings import Settings

_FOLDER = Path(".demo")
_PARTNER = "demo-partner"
# The partner's API has other paths and names, and needs no rate limit on this machine.
_FILES = {
    "ideas_pipeline.yaml": f"""\
# The communities of `make demo`. Without an API client, each is simulated: see docs/communities.md.
defaults:
  warehouse_url: sqlite:///warehouse.db
communities:
  demo:
    state_dir: .
  {_PARTNER}:
    state_dir: {_PARTNER}
    timezone: America/New_York
    contract: partner.yaml
""",
    "partner.yaml": """\
# How the partner's API differs from the default contract: see docs/contract.md.
limits: {requests_per_second: null}
streams:
  challenges: {path: campaigns}
  ideas: {path: "campaigns/{challenge_id}/posts", fields: {title: subject}}
  users: {path: members}
""",
}


@click.command()
def demo() -> None:
    """Sync two simulated communities, with different APIs, into .demo/warehouse.db, including the login.

    The simulated communities are the same all week, so a second demo changes nothing.

    \b
    Example:  ideas-pipeline demo
    """
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.settings import Settings

    _FOLDER.mkdir(exist_ok=True, mode=0o700)
    for name, text in _FILES.items():
        if not (_FOLDER / name).exists():
            (_FOLDER / name).write_text(text, encoding="utf-8")
    first = Settings(community="demo", state_dir=_FOLDER)
    partner = Settings(
        community=_PARTNER,
        state_dir=_FOLDER / _PARTNER,
        warehouse_url=first.warehouse_url,
        timezone="America/New_York",
    )
    contract = load_contract(None)
    # The assumed rate protects other people's servers. Here it would only make a newcomer wait.
    contract = contract.model_copy(update={"limits": contract.limits.model_copy(update={"requests_per_second": None})})
    codes = [
        _sync(first, contract, for_newcomers=True),
        _sync(partner, load_contract(_FOLDER / "partner.yaml"), for_newcomers=False),
    ]
    if not any(codes):
        _report([first, partner])
    raise click.exceptions.Exit(max(codes))


def _sync(settings: Settings, contract: Contract, *, for_newcomers: bool) -> int:
    """Serve a simulated community, and sync it. Return the exit code."""
    from pydantic import SecretStr

    from ideas_pipeline.simulator.community import demo_community
    from ideas_pipeline.simulator.simulator import Simulator
    from ideas_pipeline.sync.run import Incremental

    name = settings.community
    with Simulator(contract, demo_community(name)) as simulator:
        click.echo(
            f"The community {name} is simulated, with made-up people and ideas, and served at {simulator.base_url}"
        )
        account = {
            "client_id": simulator.client_id,
            "client_secret": SecretStr(simulator.client_secret),
            "api_base_url": simulator.base_url,
        }
        settings = settings.model_copy(update=account)
        return run(settings, contract, "ideas-pipeline demo", Incremental(), for_newcomers=for_newcomers)


def _report(communities: list[Settings]) -> None:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.report.front_page import write_front_page
    from ideas_pipeline.report.page import write_report

    for settings in communities:
        with open_warehouse(settings) as warehouse:
            write_report(warehouse, settings.report)
    first = communities[0]
    with open_warehouse(first) as warehouse:
        write_front_page(warehouse, {one.community: one.report for one in communities}, first.front_page)
    click.echo(f"\nReports with charts, to open in a browser: {first.front_page.absolute().as_uri()}")
    click.echo(f"Both on one screen: IDEAS_CONFIG={_FOLDER / 'ideas_pipeline.yaml'} .venv/bin/ideas-pipeline status")
