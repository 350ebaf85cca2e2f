from __future__ import annotations

import re
from itertools import pairwise

import pytest

from ideas_pipeline.report.page import render
from ideas_pipeline_tests.report.marts_with import days, figures
from ideas_pipeline_tests.report.reading import Page

SECTIONS = 11


@pytest.fixture(scope="session")
def html(report):
    return report.read_text()


@pytest.fixture(scope="session")
def page(html):
    return Page(html)


def test_the_page_takes_nothing_from_elsewhere_and_runs_nothing(page, html):
    addresses = [e.get(name) for e in page.elements for name in ("src", "href", "xlink:href", "action") if e.get(name)]
    assert addresses
    assert [address for address in addresses if not address.startswith(("#", "data:"))] == []
    assert page.all("script", "iframe", "object", "embed", "form") == []
    assert [e.tag for e in page.elements if any(name.startswith("on") for name in e.attributes)] == []
    assert re.findall(r"@import|url\((?!#)", html) == []


def test_a_browser_is_told_to_refuse_whatever_would_load_or_run(page):
    (policy,) = [e for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy"]
    assert policy.get("content").startswith("default-src 'none';")


def test_every_chart_says_in_figures_what_is_to_be_seen(page):
    charts = page.all("figure")
    assert len(charts) > SECTIONS
    for chart in charts:
        assert chart.get("role") == "img"
        assert re.search(r"\d", chart.get("aria-label")), chart.get("aria-label")


def test_every_chart_has_its_figures_as_a_table_behind_it(page):
    behind = [e for e in page.all("table") if any("chart" in a.get("class").split() for a in e.around)]
    assert len(behind) == len(page.all("figure"))
    assert all("details" in [a.tag for a in table.around] for table in behind)


def test_every_table_has_a_caption_and_says_what_its_headers_are_of(page):
    tables = page.all("table")
    assert len(page.all("caption")) == len(tables)
    assert {e.get("scope") for e in page.all("th")} == {"col", "row"}
    assert all("scroll" in table.around[-1].get("class") for table in tables), "a wide table scrolls inside itself"


def test_each_chart_is_drawn_for_narrow_screens_and_for_wide_ones(page):
    widths = [float(e.get("width")) for e in page.all("svg")]
    assert len(widths) == 2 * len(page.all("figure"))
    assert max(widths[::2]) <= 358, "a phone 390 pixels wide, less its margins"
    assert max(widths[1::2]) <= 710


def test_the_page_can_be_found_ones_way_around_in(page):
    assert page.one("html").get("lang") == "en"
    assert "community report" in page.one("title").text
    assert page.one("h1").text == "c"
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


def test_titles_can_hold_anything_and_stay_text(sqlite_url):
    title = "<script>alert(1)</script>\u202e & “more” \x00\N{GRINNING FACE} " + "\N{GRINNING FACE}" * 9000
    challenge = {"challenge_id": "1", "title": title, "contributors": 3, "ideas": 2}
    stage = {"challenge_id": "1", "stage_id": "s", "name": title, "place": 1, "ideas": 2, "reached": 2}
    html = render(figures(sqlite_url, daily_activity=days(3), challenges=[challenge], funnel=[stage]))
    page = Page(html)
    assert page.all("script") == []
    assert "<script>alert(1)</script> & “more” \N{GRINNING FACE} \N{GRINNING FACE}" in page.one("main").text
    assert not set("\u202e\x00") & set(html)
    assert len(html) < 200_000
