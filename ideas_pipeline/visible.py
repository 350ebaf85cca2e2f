"""Text as a terminal, a log or a web page may show it: what could steer the terminal, or hide, is written out."""

from __future__ import annotations

import re

# Unicode's control, format, line separator, paragraph separator and surrogate characters, and all that a display
# leaves out by default (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point). Among them: escape
# sequences, overrides of the direction of writing, zero-width characters.
_RANGES = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u115f-\u1160\u17b4-\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U00013438\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_RANGES}]")
_WITHIN_LINES = re.compile(f"(?!\n)[{_RANGES}]")
# What readers of Markdown, Slack and Mattermost take for a link or a mention, even if it is escaped.
_LINKED = re.compile(r"@|:(?=//)|www(?=\.)|\](?=[(\[:])", re.IGNORECASE)
_NO_WIDTH = "\u200b"
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    r"""One line of text: each character that a terminal obeys or does not show becomes ``\n``, ``\u001b`` or the like.

    These are the escapes of JSON (RFC 8259 §7), so that a JSON text in it keeps its meaning.
    """
    return _INVISIBLE.sub(_escaped, text)


def visible_lines(text: str) -> str:
    """``text`` as ``visible`` makes it, but with its line feeds. They must be the caller's own."""
    return _WITHIN_LINES.sub(_escaped, text)


def unlinked(text: str) -> str:
    """``text`` in which no program finds a link or a mention: a character without width is between their parts."""
    return _LINKED.sub(rf"\g<0>{_NO_WIDTH}", text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(rf"\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))
