from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.times import ago

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=400), "400 days ago"),
        (timedelta(minutes=-5), "just now"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit_that_fits(passed, said):
    assert ago(NOW - passed, NOW) == said
