"""``dagster dev`` without configuration: what it runs, and what an operator sees and clicks in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ideas_pipeline_tests.browser import SCREENSHOTS, chromium, needs_chromium
from ideas_pipeline_tests.dagster_processes import ask, dagster_dev, end_of, launch, loaded, until

RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
    status assetMaterializations { assetKey { path } } } } }"""
CHECKS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""
RUNS = """{ runsOrError(limit: 20) { ... on Runs { results {
    jobName status assetSelection { path } tags { key value } } } } }"""
BACKFILLS = "{ partitionBackfillsOrError { ... on PartitionBackfills { results { id } } } }"
# A page of Dagster's takes its time on a machine that is busy with other tests.
PATIENCE_MS = 120_000

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("IDEAS_")]:
            patch.delenv(name)
        yield tmp_path_factory.mktemp("dagster-ui")


@pytest.fixture(scope="module")
def graphql(folder: Path) -> Iterator[str]:
    """The address of ``dagster dev``, which has loaded the location."""
    contract = folder / "contract.yaml"
    contract.write_text("limits: {requests_per_second: null}")
    with dagster_dev(folder, IDEAS_CONTRACT="contract.yaml") as address:
        assert loaded(address) == [{"name": "ideas_pipeline"}]
        contract.write_text("limits: wrong")  # runs use what was loaded
        yield address


@pytest.fixture(scope="module")
def nightly(graphql: str) -> Any:
    """The run of the nightly job, which has synced the simulated community once."""
    run = launch(graphql, "nightly_sync")
    end_of(graphql, run)
    return ask(graphql, RUN, id=run)["runOrError"]


@pytest.fixture(scope="module")
def ui(graphql: str, nightly: Any) -> str:
    """The UI's address, once the simulated community has been synced."""
    assert nightly["status"] == "SUCCESS"
    return graphql.removesuffix("/graphql")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


def picture(page: Page, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"dagster-{name}.png")


def runs(graphql: str) -> list[Any]:
    found: list[Any] = ask(graphql, RUNS)["runsOrError"]["results"]
    return found


def test_dagster_dev_opens_without_configuration_and_runs_the_nightly_job(
    graphql: str, nightly: Any, folder: Path
) -> None:
    assert nightly["status"] == "SUCCESS", (folder / "dev.log").read_text()
    streams = ["challenges", "comments", "ideas", "users", "votes"]
    materialized = {tuple(m["assetKey"]["path"]) for m in nightly["assetMaterializations"]}
    assert materialized >= {("demo", table) for table in [*streams, "idea_history"]}
    for stream in streams:
        found = ask(graphql, CHECKS, key={"path": ["demo", stream]})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        assert {check["executionForLatestMaterialization"]["status"] for check in found} == {"SUCCEEDED"}
        assert {check["name"] for check in found} >= {
            "completeness",
            "freshness",
            "mass_absence",
            "referential_integrity",
            "rejects",
            "times",
            "unknown_values",
            "unmapped_fields",
            "vanished_fields",
            "volume",
        }
    assert (folder / ".demo" / "warehouse.db").exists()


@needs_chromium
def test_the_asset_graph_leads_from_the_api_to_the_report(ui: str, page: Page) -> None:
    page.goto(f"{ui}/asset-groups")
    for group in ("source", "community", "history", "marts", "report"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    picture(page, "groups")
    page.goto(f"{ui}/locations/ideas_pipeline/asset-groups/marts/list")
    expect(page.get_by_text("demo / mart_challenges", exact=True).first).to_be_visible()
    picture(page, "marts")


@needs_chromium
def test_an_asset_s_page_says_what_it_is_how_it_stands_and_where_its_columns_come_from(ui: str, page: Page) -> None:
    page.goto(f"{ui}/assets/demo/ideas")
    expect(page.get_by_text("An idea that was posted to a challenge.")).to_be_visible()
    for text in ("Row count", "60", "The idea's id at the source. From api/ideas: id."):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
    picture(page, "asset")
    page.goto(f"{ui}/assets/demo/ideas?view=checks")
    for check in ("completeness", "referential_integrity", "mass_absence", "rejects", "volume"):
        expect(page.get_by_text(check, exact=True).first).to_be_visible()
    picture(page, "checks")
    page.goto(f"{ui}/assets/demo/mart_challenges")
    expect(page.get_by_text("participation_rate", exact=True).first).to_be_visible()
    expect(page.get_by_text("preview", exact=True).first).to_be_attached()
    picture(page, "mart")


@needs_chromium
def test_a_backfill_is_started_by_clicking_and_the_marts_and_the_report_follow_it(ui: str, page: Page) -> None:
    page.goto(f"{ui}/assets/demo/comments")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize")
    dialog.get_by_text("Show all partitions").click()
    chosen = dialog.locator("input[type=text]").first
    chosen.fill("[2025-03-01...2025-03-07]")
    chosen.press("Enter")
    expect(dialog.get_by_text("7 partitions", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Backfills all partitions in a single run.")).to_be_visible()
    picture(page, "backfill")
    dialog.get_by_role("button", name="Launch backfill").click()

    def backfilled() -> bool:
        return any(
            run["status"] == "SUCCESS"
            and {"key": "dagster/asset_partition_range_end", "value": "2025-03-07"} in run["tags"]
            for run in runs(f"{ui}/graphql")
        )

    def followed() -> bool:
        assets = [
            {a["path"][-1] for a in run["assetSelection"] or ()}
            for run in runs(f"{ui}/graphql")
            if run["status"] == "SUCCESS"
        ]
        return any(
            {"mart_challenges", "mart_people", "report"} <= found and "comments" not in found for found in assets
        )

    until(lambda: ask(f"{ui}/graphql", BACKFILLS)["partitionBackfillsOrError"]["results"])
    page.goto("about:blank")  # Dagster's pages keep asking the server what is new, which takes a core
    until(backfilled)
    until(followed)
    page.goto(f"{ui}/runs")
    expect(page.get_by_text("Success").first).to_be_visible()
    picture(page, "runs")
