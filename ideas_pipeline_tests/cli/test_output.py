from __future__ import annotations

import pytest

from ideas_pipeline.cli.output import came_to


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("ideas: the API refuses", "ideas failed: the API refuses"),
        ("ideas 12: no answer: none", "ideas 12 failed: no answer: none"),
        ("the total moved: 3, then 4", "ideas failed: the total moved: 3, then 4"),
        ("ideas", "ideas failed: ideas"),
    ],
)
def test_what_a_stream_came_to_names_it_once(reason, said):
    assert came_to("ideas", "failed", reason) == said
