"""Parse the report's HTML page."""

from __future__ import annotations

from html.parser import HTMLParser

Attributes = dict[str, str | None]
_EMPTY = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """A parsed page: its elements in order, each with attributes, text and ancestors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, f"{self._open[-1].tag} is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), tuple(self._open))
        self.elements.append(element)
        if tag not in _EMPTY:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"{tag} ends what did not begin"
        assert self._open[-1].tag == tag, f"{self._open[-1].tag} is closed by {tag}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element


class Element:
    def __init__(self, tag: str, attributes: Attributes, around: tuple[Element, ...]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.around = around
        self.text = ""

    def get(self, name: str) -> str:
        return self.attributes.get(name) or ""
