from __future__ import annotations

import io
import json
import logging
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.logs import logger
from ideas_pipeline.visible import visible, visible_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()))
NOT_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
FILLERS = "\u034f\u115f\u1160\u17b4\u180b\u3164\ufe0f\uffa0\U000e0100"  # letters and marks that have no width


def is_plain(text: str) -> bool:
    return not any(unicodedata.category(c) in NOT_SHOWN or c in FILLERS for c in text)


def test_every_character_that_a_terminal_obeys_or_does_not_show_is_written_out():
    hidden = [chr(n) for n in range(0x110000) if not is_plain(chr(n))]
    assert all(visible(character).startswith("\\") and is_plain(visible(character)) for character in hidden)


def test_letters_of_every_script_accents_and_emoji_stay():
    text = "Crème brûlée, 東京, Ελλάδα, עברית, हिन्दी, e\u0301, 🙂, \u00a0"
    assert visible(text) == text


@given(ANY_TEXT)
def test_a_line_has_no_control_character_whatever_the_text(text):
    assert is_plain(visible(text))
    assert len(visible(text).splitlines()) <= 1
    assert visible(visible(text)) == visible(text)


@given(ANY_TEXT)
def test_lines_keep_their_line_feeds_and_nothing_else_that_hides(text):
    assert visible_lines(text).count("\n") == text.count("\n")
    assert all(is_plain(line) for line in visible_lines(text).split("\n"))


@given(ANY_TEXT)
def test_json_keeps_its_meaning(text):
    written = json.dumps({text: [text]}, ensure_ascii=False)
    assert json.loads(visible(written)) == {text: [text]}


@given(ANY_TEXT)
def test_a_log_record_is_one_line_whoever_handles_it(text):
    log = logger("ideas_pipeline.test_visible")
    log.propagate = False
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    log.addHandler(handler)
    try:
        log.warning("The API says %s of %d.", text, 1)
        log.warning(text)
    finally:
        log.removeHandler(handler)
    first, second, rest = lines.getvalue().split("\n")
    assert (first, second, rest) == (f"The API says {visible(text)} of 1.", visible(text), "")
