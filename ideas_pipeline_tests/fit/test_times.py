"""The zone of times without one: what shows it, and what is asked."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.fit import times
from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.times import fit_timezone

MONTHS = range(1, 13)


def asked(records: list[dict[str, Any]], now: datetime | None = None, **body: Any) -> Draft:
    """What a response with these records shows."""
    headers = CaseInsensitiveDict({"date": format_datetime(now, usegmt=True)} if now else {})
    draft = Draft(load_contract(None).model_dump(by_alias=True), lambda _: [])
    fit_timezone(
        draft, [Exchange("the API", "GET", "ideas", status=200, body={"data": records} | body, answer_headers=headers)]
    )
    return draft


def naive(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-31T10:00:00Z",
        "Jan 31, 2026 10:00 AM UTC",
        {"date": "2026-01-31 10:00:00.000000", "timezone_type": 3, "timezone": "Europe/Madrid"},
    ],
)
def test_times_with_a_zone_ask_nothing(time: Any) -> None:
    draft = asked([{"created_at": time}])
    assert (draft.lines, draft.questions) == ({}, [])


def test_the_same_moment_in_both_forms_all_the_year_shows_the_zone() -> None:
    moments = [datetime(2026, month, 3, 12, tzinfo=UTC) for month in MONTHS]
    records = [{"created_at": naive(m, "America/New_York"), "created_ts": int(m.timestamp())} for m in moments]
    assert asked(records).contract.timezone == "America/New_York"
    records = [{"created_at": {"date": r["created_at"]}, "created_ts": r["created_ts"]} for r in records]
    assert asked(records).contract.timezone == "America/New_York"


@pytest.mark.parametrize("hour", range(24))
def test_zones_that_change_their_clocks_at_another_hour_of_the_same_day_are_alike(
    hour: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls(2026, 11, 1, hour, 30, tzinfo=tz)  # in New York, clocks change at 06:00 UTC, in Havana at 05:00

    monkeypatch.setattr(times, "datetime", Clock)
    test_the_same_moment_in_both_forms_all_the_year_shows_the_zone()


def test_an_offset_of_one_season_is_proposed_but_not_written() -> None:
    moment = datetime(2026, 1, 3, 12, tzinfo=UTC)
    draft = asked([{"created_at": naive(moment, "Europe/Paris"), "created_ts": int(moment.timestamp())}])
    assert draft.lines == {}
    [question] = draft.questions
    assert (question.place, question.proposal) == (("timezone",), "Europe/Paris")
    assert "+01:00 from UTC" in question.text


def test_the_time_of_the_response_itself_is_compared_with_the_date_header() -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    draft = asked([{"created_at": "2026-01-31 10:00:00"}], now, server_time=naive(now, "Asia/Kolkata"))
    assert draft.contract.timezone == "Asia/Kolkata"


def test_the_newest_visit_is_only_a_hint() -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    draft = asked([{"created_at": "2026-01-31 10:00:00", "last_seen": naive(now, "Asia/Kolkata")}], now)
    assert draft.lines == {}
    assert draft.questions[0].proposal == "Asia/Kolkata"


def test_without_any_sign_the_zone_is_asked_and_an_operators_own_is_believed() -> None:
    draft = asked([{"created_at": "2026-01-31 10:00:00"}])
    assert "nothing shows which one is meant" in draft.questions[0].text
    own = Draft(load_contract(None).model_dump(by_alias=True), lambda _: [], frozenset({("timezone",)}))
    fit_timezone(own, [Exchange("x", status=200, body=[{"created_at": "2026-01-31 10:00:00"}])])
    assert own.questions == []
