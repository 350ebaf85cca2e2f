from __future__ import annotations

import pytest

from ideas_pipeline.cli.output import problem
from ideas_pipeline.errors import Unavailable


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Unavailable("the API refuses").at("ideas", "").reason, "ideas failed: the API refuses."),
        (Unavailable("no answer: none").at("ideas", "12").reason, "ideas failed: list 12: no answer: none."),
        ("the total moved: 3, then 4", "ideas failed: the total moved: 3, then 4"),
        ("ideas", "ideas failed: ideas"),
    ],
)
def test_why_a_stream_is_not_complete_names_it_once(reason, expected):
    assert problem("ideas", "failed", reason) == expected
