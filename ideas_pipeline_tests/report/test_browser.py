"""The report in an installed Chromium. Screenshots are kept in build/screenshots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ideas_pipeline.report.page import write_report
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.browser import SCREENSHOTS, chromium, needs_chromium
from ideas_pipeline_tests.report.marts_with import AS_OF, COMMUNITY, fill

PHONE, LAPTOP = 390, 1280

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


class Seen:
    """A report in a browser window, with its requests and console messages."""

    def __init__(self, browser: Browser, report: Path, width: int, scheme: str = "light") -> None:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.console: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.goto(report.as_uri())
        self.url = report.as_uri()

    def colour(self, selector: str, of: str) -> str:
        found: str = self.page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{of}")
        return found

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth"))


@pytest.fixture
def open_at(browser, report):
    opened = []

    def at(width, scheme="light", path=report):
        opened.append(Seen(browser, path, width, scheme))
        return opened[-1]

    yield at
    for seen in opened:
        seen.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_the_page_fits_and_has_no_console_messages_and_no_requests(open_at, width, scheme):
    seen = open_at(width, scheme)
    seen.page.screenshot(path=SCREENSHOTS / f"report-{width}-{scheme}.png", full_page=True)
    assert seen.overflow() <= 0
    seen.page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert seen.overflow() <= 0, "with all tables open"
    assert seen.console == []
    assert seen.requests == [seen.url]


@pytest.mark.parametrize(("width", "shown", "hidden"), [(PHONE, "narrow", "wide"), (LAPTOP, "wide", "narrow")])
def test_one_of_the_two_drawings_of_a_chart_is_visible(open_at, width, shown, hidden):
    seen = open_at(width)
    drawings = seen.page.locator("figure").count()
    assert drawings > 5
    assert seen.page.locator(f"figure .{shown} svg:visible").count() == drawings
    assert seen.page.locator(f"figure .{hidden} svg:visible").count() == 0


def test_a_screen_reader_reads_each_chart_as_one_image_with_a_text_alternative(open_at):
    seen = open_at(PHONE)
    charts = seen.page.get_by_role("img")
    assert charts.count() == seen.page.locator("figure").count()
    heard = seen.page.locator("main").aria_snapshot()
    assert len(re.findall(r"- '?img ", heard)) == charts.count()
    assert "Ideas per week" not in heard, "the words in a drawing are part of the image"


def test_drawings_use_the_colours_of_the_page_in_light_and_dark_mode(open_at):
    light, dark = open_at(LAPTOP), open_at(LAPTOP, "dark")
    for seen, ink in ((light, "rgb(27, 39, 51)"), (dark, "rgb(232, 237, 242)")):
        assert seen.colour("body", "color") == ink
        assert seen.colour("#engagement .wide svg text", "fill") == ink
        fills = seen.page.locator("svg [fill^=var]").evaluate_all("all => all.map(e => getComputedStyle(e).fill)")
        assert "none" not in fills
        assert "rgb(0, 0, 0)" not in fills, "a colour that the page does not know"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(open_at, scheme):
    seen = open_at(LAPTOP, scheme)
    on = {"ink": ("page", "raised", "warn"), "soft": ("page", "raised"), "link": ("page",)}
    on |= {f"on-heat-{shade}": (f"heat-{shade}",) for shade in range(1, 7)}
    pairs = [(text, behind) for text, all_behind in on.items() for behind in all_behind]
    unreadable = {pair: ratio for pair in pairs if (ratio := contrast(*(value(seen, name) for name in pair))) < 4.5}
    assert unreadable == {}
    bars = {name: contrast(value(seen, name), value(seen, "page")) for name in ("accent", "second")}
    assert min(bars.values()) >= 3, bars


def value(seen: Seen, variable: str) -> str:
    found: str = seen.page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{variable}')")
    return found.strip()


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (#rrggbb), as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return sum(weight * s for weight, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_texts_in_a_chart_do_not_overlap(open_at, sqlite_url, tmp_path, width):
    titles = [
        "why " * 40,
        "x" * 80,
        "WHAT WOULD MUM WANT " * 4,
        "\N{GRINNING FACE}" * 40,
        "会議をもっと良くするには" * 5,
        "Short",
    ]
    challenges = [{"challenge_id": t, "title": t, "contributors": 1_234_567, "ideas": 1} for t in titles]
    engine = fill(sqlite_url, challenges=challenges)
    write_report(Warehouse(engine, COMMUNITY), tmp_path / "long.html")
    engine.dispose()
    drawing = open_at(width, path=tmp_path / "long.html").page.locator("#challenges svg:visible")
    boxes = drawing.locator("text, path[fill^=var]").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len(boxes) == 3 * len(titles)
    overlaps = [
        (one, other)
        for one, other in combinations(boxes, 2)
        if one[0] < other[2] and other[0] < one[2] and one[1] + 1 < other[3] and other[1] + 1 < one[3]
    ]
    assert overlaps == []


def test_figures_and_titles_of_any_length_fit_on_a_phone(open_at, sqlite_url, tmp_path):
    ideas = [
        {"idea_id": str(n), "submitted_at": AS_OF, "seconds_to_first_response": seconds}
        for n, seconds in enumerate((10, 10, 3600 * 47))
    ]
    challenges = [{"challenge_id": "1", "title": "How might we waste less, all of us?", "contributors": 12}]
    engine = fill(sqlite_url, idea_lifecycle=ideas, challenges=challenges)
    write_report(Warehouse(engine, COMMUNITY), tmp_path / "long.html")
    engine.dispose()
    seen = open_at(PHONE, path=tmp_path / "long.html")
    assert "under 2 minutes" in seen.page.locator("#responses").inner_text()
    assert seen.overflow() <= 0
    assert "all of us?" in seen.page.locator("#challenges svg:visible").text_content(), "there is room: nothing is cut"


def test_a_caption_can_be_read_without_moving_its_table(open_at):
    page = open_at(PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    wide = page.locator("table").evaluate_all("all => all.filter(e => e.offsetWidth > innerWidth).length")
    assert wide > 0
    ends = page.locator("caption span").evaluate_all("all => all.map(e => e.getBoundingClientRect().right)")
    assert max(ends) <= PHONE


def test_a_keyboard_skips_to_the_figures_and_opens_a_table(open_at):
    page = open_at(PHONE).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.locator("table:visible").count() > 0


def test_on_paper_it_is_light_and_no_chart_is_split(open_at):
    seen = open_at(LAPTOP, "dark")
    seen.page.emulate_media(media="print")
    assert seen.colour("body", "backgroundColor") == "rgb(255, 255, 255)"
    assert seen.page.locator("nav:visible, details:visible, .narrow svg:visible").count() == 0
    assert seen.page.locator(".wide svg:visible").count() == seen.page.locator("figure").count()
    assert {seen.colour(".chart", "breakInside")} == {"avoid"}
    paper = seen.page.pdf(path=SCREENSHOTS / "report.pdf", prefer_css_page_size=True)
    assert paper.startswith(b"%PDF")


def test_an_empty_community_fits_too(open_at, sqlite_url, tmp_path):
    engine = fill(sqlite_url)
    write_report(Warehouse(engine, COMMUNITY), tmp_path / "empty.html")
    engine.dispose()
    seen = open_at(PHONE, path=tmp_path / "empty.html")
    seen.page.screenshot(path=SCREENSHOTS / "report-empty-390-light.png", full_page=True)
    assert seen.overflow() <= 0
    assert seen.console == []
