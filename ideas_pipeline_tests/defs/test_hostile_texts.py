"""No text of a server or a member is read as Markdown by Dagster's UI, or is a line of its own in a run's log."""

from __future__ import annotations

import io
import logging
from itertools import pairwise

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ideas_pipeline.defs.failures import checks_failed, errors_as_failures
from ideas_pipeline.defs.metadata import LoggedProgress, as_table
from ideas_pipeline.errors import Unavailable
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.visible import visible
from ideas_pipeline_tests.test_visible import ANY_TEXT, is_plain

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.text(st.sampled_from("|\\`*_~<>&@[]()!#:/.aw \n\x1b\u202e"), max_size=30)


@given(SIGNS | ANY_TEXT.map(lambda text: text[:100]))
def test_a_cell_of_a_markdown_table_is_text(text):
    tokens = MARKDOWN.parse(as_table(("one", "two"), [(text, "end")]))
    cells = [token for before, token in pairwise(tokens) if before.type == "td_open"]
    assert [cell.content == "end" for cell in cells][-1]
    assert len(cells) == 2
    assert {child.type for child in cells[0].children or []} <= {"text", "text_special"}
    shown = "".join(child.content for child in cells[0].children or [])
    shown = shown.replace("\u200b", "")
    assert shown == visible(" ".join(text.split()))
    assert is_plain(shown)


@pytest.mark.parametrize("text", ["https://evil.example", "www.evil.example", "WWW.evil.example", "a@evil.example"])
def test_no_text_becomes_a_link_by_itself(text):
    # GitHub's extension looks for these signs in what the source means.
    source = as_table(("one",), [(text,)]).splitlines()[-1]
    assert not any(sign in source.lower() for sign in ("://", "www.", "@evil"))


@given(ANY_TEXT)
def test_progress_in_the_log_of_a_run_is_a_line(text):
    log = logging.Logger("run")
    log.addHandler(logging.StreamHandler(lines := io.StringIO()))
    LoggedProgress(log).noted(text)
    LoggedProgress(log).waiting(text)
    assert lines.getvalue() == f"{visible(text)}\n" * 2


@given(ANY_TEXT)
def test_the_description_of_a_failure_is_a_line(text):
    with pytest.raises(dg.Failure) as caught, errors_as_failures(Settings()):
        raise Unavailable(text)
    assert is_plain(str(caught.value.description))
    failed = checks_failed(
        [Finding("completeness", "ideas", "error", text), Finding("rejects", "ideas", "error", text)], Settings()
    )
    assert str(failed.description).count("\n") == 1
