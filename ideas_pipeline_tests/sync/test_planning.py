from __future__ import annotations

from datetime import date

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.sync.planning import dated, window_of


@pytest.mark.parametrize(
    ("first", "last", "zone", "hours"),
    [
        (date(2026, 3, 29), date(2026, 3, 29), "Europe/Madrid", 23),
        (date(2026, 10, 25), date(2026, 10, 25), "Europe/Madrid", 25),
        (date(2026, 3, 28), date(2026, 3, 30), "Europe/Madrid", 71),
        (date(2026, 3, 29), date(2026, 3, 29), "UTC", 24),
    ],
)
def test_a_window_goes_from_midnight_to_midnight_however_long_the_day(first, last, zone, hours):
    window = window_of(first, last, zone)
    assert (window.start.date(), window.start.hour) == (first, 0)
    assert (window.end.date() - last).days == 1
    assert (window.end.timestamp() - window.start.timestamp()) / 3600 == hours


def test_lists_below_others_have_days():
    assert dated(load_contract(None)) == ["ideas", "comments", "votes"]


def test_a_list_whose_records_say_no_time_has_none(tmp_path):
    (tmp_path / "mine.yaml").write_text("streams: {votes: {fields: {created_at: null}}}")
    assert dated(load_contract(tmp_path / "mine.yaml")) == ["ideas", "comments"]
