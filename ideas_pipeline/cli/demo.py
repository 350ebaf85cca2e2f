"""``ideas-pipeline demo``: sync a simulated community into a warehouse of its own, and report on it."""

from __future__ import annotations

import click

from ideas_pipeline.cli.sync import run


@click.command()
def demo() -> None:
    """Sync a simulated community into .demo/warehouse.db, including the login.

    The simulated community is the same all week, so a second demo changes nothing.

    \b
    Example:  ideas-pipeline demo
    """
    from pathlib import Path

    from pydantic import SecretStr

    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.report.page import write_report
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.simulator.community import demo_community
    from ideas_pipeline.simulator.simulator import Simulator
    from ideas_pipeline.sync.run import Incremental

    contract = load_contract(None)
    # The assumed rate protects other people's servers. Here it would only make a newcomer wait.
    contract = contract.model_copy(update={"limits": contract.limits.model_copy(update={"requests_per_second": None})})
    with Simulator(contract, demo_community()) as simulator:
        click.echo(f"This community is simulated, with made-up people and ideas, and served at {simulator.base_url}")
        settings = Settings(
            community="demo",
            client_id=simulator.client_id,
            client_secret=SecretStr(simulator.client_secret),
            api_base_url=simulator.base_url,
            state_dir=Path(".demo"),
        )
        exit_code = run(settings, contract, "ideas-pipeline demo", Incremental(), for_newcomers=True)
    if exit_code == 0:
        with open_warehouse(settings) as warehouse:
            write_report(warehouse, settings.report)
        click.echo(f"\nReport with charts, to open in a browser: {settings.report.absolute().as_uri()}")
    raise click.exceptions.Exit(exit_code)
