"""Three communities with contracts and zones of their own in one warehouse, as an operator sees them in Dagster.

It takes a minute of CPU, so it is tried with IDEAS_SOAK only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from playwright.sync_api import expect

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.browser import SCREENSHOTS, chromium, needs_chromium
from ideas_pipeline_tests.dagster_processes import dagster_dev, end_of, launch, loaded

QUICK: dict[str, Any] = {"limits": {"requests_per_second": None, "attempts": 1}}
FLAT = {"comments": {"path": "comments", "each": None}, "votes": {"path": "votes", "each": None}}
OFFSETS = {"paging": {"style": "offset", "offset_parameter": "offset", "size_parameter": "limit", "size": 50}}
STREAMS = {"acme": {}, "globex": FLAT, "initech": {"users": OFFSETS}}
ZONES = {"acme": "Europe/Madrid", "globex": "America/New_York", "initech": "Australia/Sydney"}

pytestmark = [pytest.mark.slow, pytest.mark.skipif("IDEAS_SOAK" not in os.environ, reason="in make soak only")]
expect.set_options(timeout=120_000)


@pytest.fixture
def communities(tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Simulator]]:
    """Three running communities, in the settings of one file. The API refuses initech's account a list."""
    for name in [name for name in os.environ if name.startswith("IDEAS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WAREHOUSE", postgresql_url)
    settings: dict[str, Any] = {"defaults": {"warehouse_url": {"env": "WAREHOUSE"}}, "communities": {}}
    running = {}
    with ExitStack() as stack:
        for seed, (name, streams) in enumerate(STREAMS.items()):
            contract = tmp_path / f"{name}.yaml"
            contract.write_text(yaml.safe_dump(QUICK | {"streams": streams}))
            api = stack.enter_context(Simulator(load_contract(contract), generate("small", seed=seed)))
            for variable, value in (("ID", api.client_id), ("SECRET", api.client_secret)):
                monkeypatch.setenv(f"{name.upper()}_{variable}", value)
            settings["communities"][name] = {
                "api_base_url": api.base_url,
                "timezone": ZONES[name],
                "contract": contract.name,
                "client_id": {"env": f"{name.upper()}_ID"},
                "client_secret": {"env": f"{name.upper()}_SECRET"},
            }
            running[name] = api
        running["initech"].faults.add(Fault(kind="status", status=503, stream="challenges", times=None))
        (tmp_path / "ideas_pipeline.yaml").write_text(yaml.safe_dump(settings))
        yield running


@needs_chromium
def test_the_graph_shows_three_communities_and_one_that_fails_leaves_the_others_synced(
    communities: dict[str, Simulator], tmp_path: Path, postgresql_url: str
) -> None:
    with dagster_dev(tmp_path) as address:
        assert loaded(address) == [{"name": "ideas_pipeline"}]
        nights = {name: launch(address, f"{name}__nightly_sync") for name in communities}
        ended = {name: end_of(address, run) for name, run in nights.items()}
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(address.removesuffix("graphql") + "asset-groups")
            for name in communities:
                expect(page.get_by_text(name, exact=True).first).to_be_visible()
            expect(page.get_by_text("fetching statuses")).to_have_count(0)
            page.screenshot(path=SCREENSHOTS / "dagster-communities.png")

    assert ended == {"acme": "SUCCESS", "globex": "SUCCESS", "initech": "FAILURE"}
    engine = sa.create_engine(postgresql_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        for table in ("challenges", "ideas", "comments", "votes"):
            rows = dict(connection.exec_driver_sql(f"SELECT community, count(*) FROM {table} GROUP BY 1").all())
            assert rows == {name: len(communities[name].tables[table]) for name in ("acme", "globex")}
