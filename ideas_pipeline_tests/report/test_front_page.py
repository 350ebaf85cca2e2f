"""The front page: the communities of a warehouse, with links to their reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.communities import TABLE
from ideas_pipeline.report.front_page import write_front_page
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.report.marts_with import days, fill
from ideas_pipeline_tests.report.reading import Page

AT = datetime(2026, 4, 10, 12, tzinfo=UTC)
ROW = {"last_complete_at": AT, "people": 1234, "ideas": 3, "comments": 4, "votes": 5, "contributions_28d": 6}
ROW |= {"contributions_28d_before": 8, "contributions_change": -0.25, "active_28d": 2, "findings": 1}
ROW |= {"as_of": AT, "timezone": "Asia/Tokyo"}
NEW = ROW | {"last_complete_at": None, "contributions_change": None, "timezone": "UTC"}


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, "acme") as opened:
        with opened.engine.begin() as connection:
            TABLE.create(connection)
            rows = [{"community": "acme", **ROW}, {"community": "<b>new</b>", **NEW}]
            connection.execute(sa.insert(TABLE), rows)
        yield opened


def test_each_community_has_a_row_and_a_link_to_its_report_if_there_is_one(warehouse, tmp_path):
    report = tmp_path / "state of acme" / "report-acme.html"
    report.parent.mkdir()
    report.touch()
    page = tmp_path / "pages" / "communities.html"
    size = write_front_page(warehouse, {"acme": report, "<b>new</b>": tmp_path / "nowhere.html"}, page)
    text = page.read_text(encoding="utf-8")
    assert size == len(text.encode())
    assert "<b>new</b>" not in text
    shown = Page(text)
    rows = [[cell.text for cell in shown.all("th", "td") if row in cell.around] for row in shown.all("tr")]
    assert rows[1] == ["<b>new</b>", "–", "1,234", "3", "4", "5", "6", "–", "2", "1", "2026-04-10 12:00"]
    assert rows[2][:2] == ["acme", "2026-04-10 21:00"]
    assert rows[2][7:] == ["▼ 25.0\N{NO-BREAK SPACE}%", "2", "1", "2026-04-10 21:00"]
    [link] = shown.all("a")
    assert (page.parent / unquote(link.get("href"))).resolve() == report.resolve()


def test_before_the_marts_are_built_there_is_no_page(sqlite_url: str, tmp_path: Path) -> None:
    page = tmp_path / "communities.html"
    with Warehouse.open(sqlite_url, "acme") as empty, pytest.raises(WarehouseError, match="ideas-pipeline marts"):
        write_front_page(empty, {}, page)
    assert not page.exists()


def test_the_copy_in_the_folder_of_the_reports_links_to_their_copies(
    warehouse: Warehouse, sqlite_url: str, tmp_path: Path
) -> None:
    fill(sqlite_url, daily_activity=days(3, ideas=1)).dispose()
    (shared := tmp_path / "shared").mkdir()
    (tmp_path / "ideas_pipeline.yaml").write_text(
        f"defaults: {{warehouse_url: '{sqlite_url}', report_url: 'file://{shared}'}}\n"
        "communities: {acme: , globex: {report_url: null}}\n"
    )
    done = ideas_pipeline("report", "--community", "acme", folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"Copied it to file://{shared}/communities.html.")
    [link] = Page((shared / "communities.html").read_text()).all("a")
    assert (shared / unquote(link.get("href"))).read_text() == (tmp_path / ".ideas/acme/report-acme.html").read_text()


def test_each_report_that_cannot_be_written_is_named_with_its_community(tmp_path: Path) -> None:
    (tmp_path / "ideas_pipeline.yaml").write_text(
        "defaults: {warehouse_url: sqlite:///w.db}\ncommunities: {acme: , globex: {client_id: i}, apex: }\n"
    )
    done = ideas_pipeline("report", "--all", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.partition(" needs")[0].partition(" is not")[0] for line in done.stderr.splitlines()] == [
        "acme: The report of acme",
        "globex: client_secret of globex in ideas_pipeline.yaml",
        "apex: The report of apex",
        "front page: The front page of the report",
    ]
