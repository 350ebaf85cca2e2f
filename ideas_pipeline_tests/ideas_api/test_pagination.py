"""Links to the next page, as APIs write them."""

from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.contract.paging import NextLinkPaging
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.pagination import Position, following

PAGING = NextLinkPaging(style="next_link", next=("next",))
HERE = "https://api.example.com/v2/ideas/7/comments"


def next_after(link: Any, url: str = HERE) -> Position | None:
    return following(PAGING, "", 1, {"next": link}, {}, url)


LINKS = {
    "a query": "?page=2",
    "an absolute URL": f"{HERE}?page=2",
    "a path": "/v2/ideas/7/comments?page=2",
    "a path from the base URL on": "ideas/7/comments?page=2",
    "a path without what a proxy has added": "/ideas/7/comments?page=2",
    "a URL without what a proxy has added": "http://api.example.com/ideas/7/comments?page=2",
    "a path with another slash": "/ideas/7/comments/?page=2",
    "a map": {"method": "GET", "href": "?page=2"},
    "a map with uri": {"uri": "?page=2"},
    "a list of maps": [{"rel": "self", "href": "?page=1"}, {"rel": "next", "href": "?page=2"}],
    "a list of maps with other names": [{"name": "next", "link": "?page=2"}, {"name": "last", "link": "?page=9"}],
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_a_next_link_leads_to_the_next_page_of_this_list(link: Any) -> None:
    assert next_after(link) == f"{HERE}?page=2"


@pytest.mark.parametrize(
    "link", ["/v2/comments?idea=7&page=2", "/v2/ideas/17/comments?page=2", "/v2/7/comments?page=2"]
)
def test_a_next_link_to_another_path_is_followed_there(link: str) -> None:
    assert next_after(link) == f"https://api.example.com{link}"


def test_a_link_can_be_escaped_for_html() -> None:
    assert next_after("?idea=7&amp;page=2") == f"{HERE}?idea=7&page=2"


@pytest.mark.parametrize("link", [None, "", {}, [], {"href": None}, [{"rel": "self", "href": "?page=1"}]])
def test_no_next_link_ends_the_list(link: Any) -> None:
    assert next_after(link) is None


def test_a_link_that_cannot_be_read_is_not_the_end_of_the_list() -> None:
    with pytest.raises(UnexpectedResponse, match="a map without href, url, uri, link"):
        next_after({"rel": "next", "target": "?page=2"})
