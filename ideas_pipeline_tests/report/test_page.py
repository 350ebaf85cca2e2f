from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.report.figures import read_figures
from ideas_pipeline.report.page import render, write_report
from ideas_pipeline.tables.bookkeeping import SYNC_RUNS, SYNC_STREAMS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.report.marts_with import AS_OF, COMMUNITY, LAST_DAY, days, figures, fill
from ideas_pipeline_tests.report.reading import Page
from ideas_pipeline_tests.warehouse.calls import call_writing

COUNTERS = {c.name: 0 for c in SYNC_STREAMS.columns if c.info["kind"] == "integer"}

SECTIONS = 11


@pytest.fixture(scope="session")
def html(report):
    return report.read_text()


@pytest.fixture(scope="session")
def page(html):
    return Page(html)


def test_the_page_loads_nothing_and_has_no_scripts(page, html):
    addresses = [e.get(name) for e in page.elements for name in ("src", "href", "xlink:href", "action") if e.get(name)]
    assert addresses
    assert [address for address in addresses if not address.startswith(("#", "data:"))] == []
    assert page.all("script", "iframe", "object", "embed", "form") == []
    assert [e.tag for e in page.elements if any(name.startswith("on") for name in e.attributes)] == []
    assert re.findall(r"@import|url\((?!#)", html) == []


def test_the_content_security_policy_forbids_loading_and_scripts(page):
    (policy,) = [e for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy"]
    assert policy.get("content").startswith("default-src 'none';")


def test_every_chart_has_a_text_alternative_with_figures(page):
    charts = page.all("figure")
    assert len(charts) > SECTIONS
    for chart in charts:
        assert chart.get("role") == "img"
        assert re.search(r"\d", chart.get("aria-label")), chart.get("aria-label")


def test_every_chart_has_a_table_with_its_figures(page):
    behind = [e for e in page.all("table") if any("chart" in a.get("class").split() for a in e.around)]
    assert len(behind) == len(page.all("figure"))
    assert all("details" in [a.tag for a in table.around] for table in behind)


def test_every_table_has_a_caption_and_scoped_headers(page):
    tables = page.all("table")
    assert len(page.all("caption")) == len(tables)
    assert {e.get("scope") for e in page.all("th")} == {"col", "row"}
    assert all("scroll" in table.around[-1].get("class") for table in tables), "a wide table scrolls inside itself"


def test_each_chart_is_drawn_for_narrow_screens_and_for_wide_ones(page):
    widths = [float(e.get("width")) for e in page.all("svg")]
    assert len(widths) == 2 * len(page.all("figure"))
    assert max(widths[::2]) <= 358, "a phone 390 pixels wide, less its margins"
    assert max(widths[1::2]) <= 710


def test_the_page_can_be_navigated(page):
    assert page.one("html").get("lang") == "en"
    assert "community report" in page.one("title").text
    assert page.one("h1").text == COMMUNITY
    levels = [int(e.tag[1]) for e in page.all("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    ids = [e.get("id") for e in page.elements if e.get("id")]
    assert len(ids) == len(set(ids))
    links = [e.get("href").removeprefix("#") for e in page.all("a")]
    assert set(links) <= set(ids)
    assert links[0] == page.one("main").get("id"), "the first link skips to the figures"
    assert len(page.all("section")) == SECTIONS


def test_no_person_and_no_idea_is_named(html, community):
    canaries = {row["display_name"] for row in community["users"].values() if row["display_name"]}
    canaries |= {row["email"] for row in community["users"].values() if row["email"]}
    canaries |= {row["title"] for row in community["ideas"].values()}
    assert len(canaries) > 200
    assert [canary for canary in canaries if canary in html] == []
    ids = {*community["users"], *community["ideas"], *community["comments"], *community["votes"]}
    # Those of votes look like the numbers of a drawing's points, but for what stands before and after them.
    numbers = set(re.findall(r"(?<![\d.,-])\d+(?![\d.,])", html))
    assert sorted(ids & numbers) == []


def test_titles_are_escaped(sqlite_url):
    title = "<script>alert(1)</script>\u202e & “more” \x00\N{GRINNING FACE} " + "\N{GRINNING FACE}" * 9000
    challenge = {"challenge_id": "1", "title": title, "contributors": 3, "ideas": 2}
    stage = {"challenge_id": "1", "stage_id": "s", "name": title, "place": 1, "ideas": 2, "reached": 2}
    html = render(figures(sqlite_url, daily_activity=days(3), challenges=[challenge], funnel=[stage]))
    page = Page(html)
    assert page.all("script") == []
    assert "<script>alert(1)</script> & “more” \N{GRINNING FACE} \N{GRINNING FACE}" in page.one("main").text
    assert not set("\u202e\x00") & set(html)
    assert len(html) < 200_000


def test_the_figures_are_those_of_the_marts_and_of_no_other_community(warehouse_url):
    other = {"community": "other", "day": LAST_DAY, "ideas": 9}
    engine = fill(
        warehouse_url,
        AS_OF,
        daily_activity=[*days(3, ideas=1), other],
        cohorts=[{"cohort_month": date(2026, 3, 1), "month": date(2026, 3, 1), "cohort_size": 3, "retention": 1.0}],
        idea_lifecycle=[{"idea_id": "1", "submitted_at": AS_OF, "seconds_to_first_response": 5}],
    )
    found = read_figures(Warehouse(engine, COMMUNITY))
    assert [(row.day, row.ideas) for row in found.daily_activity] == [
        (LAST_DAY - timedelta(days=back), 1) for back in (2, 1, 0)
    ]
    assert [(row.month, row.retention) for row in found.cohorts] == [(date(2026, 3, 1), 1.0)]
    assert list(found.response_seconds) == [5]
    assert (found.as_of, found.timezone, found.today) == (AS_OF, "Europe/Madrid", date(2026, 4, 2))
    engine.dispose()


def test_an_empty_community_has_texts_instead_of_charts(warehouse, tmp_path):
    call_writing(warehouse, build_marts, "UTC")
    write_report(warehouse, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert page.all("figure", "svg", "table", "dl") == []
    assert len([e for e in page.all("p") if e.get("class") == "meaning" and e.text]) == len(page.all("section"))


def test_a_community_of_one_day_has_its_charts(sqlite_url, tmp_path):
    challenge = {"challenge_id": "1", "contributors": 1, "ideas": 1}
    engine = fill(
        sqlite_url,
        AS_OF,
        daily_activity=days(1, ideas=1, contributors=1, active_28d=1),
        challenges=[challenge],
        engagement=[{"engagement_level": "generator", "people": 1, "of_people": 1, "share": 1.0}],
        idea_lifecycle=[{"idea_id": "1", "submitted_at": AS_OF}],
    )
    write_report(Warehouse(engine, COMMUNITY), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert len(page.all("figure")) == 5
    text = page.one("main").text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Challenge 1" in text, "a challenge without a title is called by its id"
    assert not re.search(r"\b1 (people|days|ideas|challenges|contributions)\b|\b1 \w+ (are|were|have|who are)\b", text)
    engine.dispose()


def test_the_report_of_a_large_community_fits_into_an_email(sqlite_url, tmp_path):
    challenges = range(200)
    engine = fill(
        sqlite_url,
        AS_OF,
        daily_activity=days(3650, ideas=13, comments=120, votes=1400, contributors=900, active_28d=40_000),
        challenges=[{"challenge_id": str(n), "title": f"{n} " + "why " * 40, "contributors": n} for n in challenges],
        funnel=[
            {"challenge_id": str(n), "stage_id": str(at), "place": at, "name": "x" * 50, "ideas": 250, "reached": 250}
            for n in challenges
            for at in range(1, 6)
        ],
        response_times=[{"challenge_id": str(n), "ideas": 250, "answered_rate": 1.0} for n in challenges],
        moderation=[{"challenge_id": str(n), "ideas": 250} for n in challenges],
        adoption=[{"challenge_id": str(n), "class": f"c{k}", "ideas": 250} for n in challenges for k in range(20)],
        idea_lifecycle=[
            {"idea_id": str(n), "submitted_at": AS_OF, "seconds_to_first_response": n * 60} for n in range(50_000)
        ],
        cohorts=[
            {
                "cohort_month": date(2016 + first // 12, first % 12 + 1, 1),
                "months_later": month - first,
                "month": date(2016 + month // 12, month % 12 + 1, 1),
                "cohort_size": 400,
                "active": 40,
                "retention": 0.1,
            }
            for first in range(120)
            for month in range(first, 120)
        ],
    )
    size = write_report(Warehouse(engine, COMMUNITY), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size == size
    assert size < 2_000_000
    engine.dispose()


def test_incomplete_streams_are_named_at_the_top_without_their_reasons(warehouse, tmp_path):
    with warehouse.engine.begin() as connection:
        verdicts = {"ideas": "complete", "comments": "incomplete", "votes": "failed"}
        for minute, (stream, verdict) in enumerate(verdicts.items()):
            run = {"run_id": "1", "community": COMMUNITY, "stream": stream, "verdict": verdict, "reason": "votes 4711"}
            times = {"started_at": AS_OF + timedelta(minutes=minute), "finished_at": AS_OF + timedelta(hours=1)}
            connection.execute(sa.insert(SYNC_STREAMS).values(run | times | COUNTERS))
        # A replay of archived pages does not show the present state of the source.
        old = {"run_id": "2", "community": COMMUNITY, "stream": "votes", "verdict": "complete"}
        later = {"started_at": AS_OF + timedelta(hours=2), "finished_at": AS_OF + timedelta(hours=3)}
        connection.execute(sa.insert(SYNC_STREAMS).values(old | later | COUNTERS))
        replay = {"run_id": "2", "community": COMMUNITY, "source": "", "mode": "replay", "verdict": "complete"}
        connection.execute(sa.insert(SYNC_RUNS).values(replay | later))
    call_writing(warehouse, build_marts, "UTC", datetime(2026, 4, 2, 4, tzinfo=UTC))
    write_report(warehouse, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert "The last sync was not complete. Data may be missing from comments and votes." in page.one("header").text
    assert "4711" not in page.one("body").text
    cells = [e.text for e in page.all("td", "th")]
    assert cells[cells.index("ideas") :][:3] == ["ideas", "complete", "2026-04-02 04:00"]


def test_a_community_without_marts_is_an_error_that_names_the_command(warehouse, tmp_path):
    call_writing(Warehouse(warehouse.engine, "another"), build_marts, "UTC")
    with pytest.raises(WarehouseError, match=r"not built yet\. Run: ideas-pipeline sync"):
        write_report(warehouse, tmp_path / "report.html")
    assert list(tmp_path.glob("report*")) == []


def test_a_report_that_cannot_be_replaced_stays_and_nothing_else_is_left(sqlite_url, tmp_path):
    engine = fill(sqlite_url)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_report(Warehouse(engine, COMMUNITY), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir() if "report" in path.name] == ["report.html"]
    engine.dispose()
