from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.records.time_format import TimeFormat
from ideas_pipeline.records.timestamps import timestamps
from ideas_pipeline.text import Repeated

NINE = "2024-01-31T09:00:00"
NONE = ("0000-00-00", "-0001-11-30", "0001-01-01", "1970-01-01 00:00:00", "9999-12-31")


def moment(value, timezone="UTC", epoch=None, no_times=()):
    """The time in UTC as ISO text; the reason if it cannot be read; None if it means "no time"."""
    [micros], reasons = timestamps([value], TimeFormat(timezone, epoch, no_times))
    if micros is None and not reasons:
        return None
    return reasons[0] if reasons else (datetime(1970, 1, 1) + (micros * (datetime.resolution))).isoformat()


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T09:00:00Z",
        "2024-01-31 09:00:00",
        "2024-01-31T09:00:00.000+00:00",
        "2024-01-31T11:00:00+02:00",
        "2024-01-31T11:00:00+0200",
        "2024-01-31 04:00:00 -05",
        "2024-01-31T09:00",
        "2024-01-31 09:00:00 UTC",
        " 2024-01-31t09:00:00z ",
        "2024-01-31T09:00:00,0000000000Z",
        1706691600,
        1706691600.0,
        "1706691600",
        1706691600000,
        "1706691600000",
        1706691600000000,
        1706691600000000000,
        "20240131T090000Z",
        "20240131T0900",
        "20240131T110000+0200",
        "20240131090000",
        20240131090000,
        "2024/01/31 09:00:00",
        "2024-01-31T09:00:00+00",
        "2024-01-31T11:00:00+02:00[Europe/Helsinki]",
        "2024-01-31 09:00:00 +0000 UTC",
        "Wed, 31 Jan 2024 09:00:00 GMT",
        "Wed, 31 Jan 2024 11:00:00 +0200",
        "31 Jan 2024 04:00 EST",
        "Wednesday, 31-Jan-24 09:00:00 GMT",
        "Wed Jan 31 09:00:00 2024",
        "Wed Jan 31 09:00:00 UTC 2024",
        "Wed Jan 31 2024 10:00:00 GMT+0100 (CET)",
        "/Date(1706691600000+0100)/",
        "2024-01-31 9:00:00 AM",
        "2024-1-31 09:00",
        "2024-01-31T04:00:00 EST",
        "2024-01-31 10:00:00 CET",
        "2024-01-31T10:00:00[Europe/Madrid]",
        "Wed, 31 Jan 2024 10:00:00 CET",
        "31 Jan 2024, 09:00",
        "31st of January 2024 at 9:00 am",
        "Jan 31, 2024 9:00 AM",
        "Wednesday, January 31, 2024, 09:00:00 UTC",
        "2024-Jan-31 09:00:00",
        {"$date": "2024-01-31T09:00:00Z"},
        {"$date": 1706691600000},
        {"$date": {"$numberLong": "1706691600000"}},
        {"_seconds": 1706691600, "_nanoseconds": 0},
        {"seconds": "1706691600", "nanos": 0},
        {"date": "2024-01-31 10:00:00.000000", "timezone_type": 3, "timezone": "Europe/Madrid"},
        {"date": "2024-01-31 10:00:00.000000", "timezone_type": 1, "timezone": "+01:00"},
        {"date": "2024-01-31 04:00:00.000000", "timezone_type": 2, "timezone": "EST"},
        {"date": "2024-01-31", "time": "09:00:00"},
        {"dateTime": "2024-01-31T10:00:00.0000000", "timeZone": "Europe/Madrid"},
        {"dateTime": "2024-01-31T10:00:00+01:00", "timeZone": "Europe/Madrid"},
        {"__type": "Date", "iso": "2024-01-31T09:00:00.000Z"},
        {"iso": "2024-01-31T09:00:00Z", "epoch": 1706691600},
        {"epoch": 1706691600},
        {"value": "2024-01-31 09:00:00", "display_value": "31.01.2024 10:00"},
        {"date": {"year": 2024, "month": 1, "day": 31}, "time": {"hour": 9, "minute": 0, "second": 0, "nano": 0}},
        {"year": 2024, "month": "JANUARY", "monthValue": 1, "dayOfMonth": 31, "hour": 9, "minute": 0},
        [2024, 1, 31, 9, 0],
        [2024, 1, 31, 9, 0, 0, 0],
    ],
)
def test_one_moment_can_be_written_in_many_ways(text):
    assert moment(text) == NINE


def test_a_fraction_is_kept_to_the_microsecond():
    assert moment("2024-01-31T09:00:00.1234567Z") == NINE + ".123456"
    assert moment("2024-01-31T09:00:00.5") == NINE + ".500000"
    assert moment({"seconds": 1706691600, "nanos": 123456999}) == NINE + ".123456"
    assert moment([2024, 1, 31, 9, 0, 0, 123456000]) == NINE + ".123456"
    assert moment([2024, 1, 31, 9, 0, 0, 123]) == NINE + ".123000"  # Jackson's milliseconds
    assert moment(1706691600.25) == NINE + ".250000"


@pytest.mark.parametrize(
    "number",
    [
        1706691600123456999,
        "1706691600123456999",
        "1706691600.123456999",
        1706691600.1234567,
        "1706691600123456.9999",
        "1706691600123.4569999",
    ],
)
def test_a_number_is_exact_to_the_microsecond_as_a_text_is(number):
    assert moment(number) == NINE + ".123456"


def test_numbers_of_nanoseconds_are_as_exact_together_as_alone():
    numbers = [1706691600000000000 + n * 1000 + 999 for n in range(500)]
    moments, _ = timestamps(numbers, TimeFormat())
    assert moments == [1706691600000000 + n for n in range(500)]


def test_a_date_is_its_midnight():
    assert moment("2024-01-31") == "2024-01-31T00:00:00"
    assert moment("2024-01-31", "Europe/Madrid") == "2024-01-30T23:00:00"


@pytest.mark.parametrize("number", [1706691600, "1706691600", 1706691600000, 1706691600000000])
def test_a_number_means_no_time_only_in_the_unit_in_which_it_is_likely_a_time(number):
    assert moment(number, no_times=("1970-01-01",)) == NINE
    assert moment(number, no_times=("2024-01-31",)) is None
    assert moment(0, no_times=("1970-01-01",)) is None


def test_numbers_count_what_the_contract_says():
    assert moment(1706691600000, epoch="milliseconds") == NINE
    assert moment("1706691600500", epoch="milliseconds") == NINE + ".500000"
    assert moment(-1, epoch="seconds") == "1969-12-31T23:59:59"
    assert moment(1706691600000, epoch="seconds") == "is not between the years 1 and 9999"


@pytest.mark.parametrize("value", ["20240131", 20240131, 20240131.0])
def test_eight_digits_are_a_day(value):
    assert moment(value, "Europe/Madrid") == "2024-01-30T23:00:00"


def test_the_end_of_a_day_and_a_leap_second_are_the_next_moment():
    assert moment("2016-12-31T24:00:00Z") == moment("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00"


@pytest.mark.parametrize(
    "value",
    [
        "0000-00-00T00:00:00Z",
        "-0001-11-30T00:00:00+0000",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+10:00",
        "1970-01-01T00:00:00Z",
        "1970-01-01T01:00:00+01:00",
        "1970-01-01 01:00:00",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "9999-12-31T23:59:59.999Z",
        0,
        "0",
        -62135596800,
        -62135596800000,
        -62169984000,
        253402300799,
        "31 Dec 9999, 23:59",
        {"$date": {"$numberLong": "0"}},
        {"seconds": 0, "nanos": 0},
        {"date": "-0001-11-30 00:00:00.000000", "timezone_type": 3, "timezone": "UTC"},
        {"date": "1970-01-01 01:00:00.000000", "timezone_type": 3, "timezone": "Europe/Madrid"},
        [1970, 1, 1, 0, 0],
    ],
)
def test_some_times_mean_that_there_is_none(value):
    assert moment(value, "Europe/Madrid", no_times=NONE) is None
    assert timestamps([value, "2024-01-31T09:00:00Z"], TimeFormat("UTC", no_times=NONE))[0][1] == 1706691600000000


def test_a_column_whose_times_all_count_has_no_such_times():
    assert moment("1970-01-01T00:00:00Z") == "1970-01-01T00:00:00"
    assert moment("1970-01-01T00:00:01Z", no_times=NONE) == "1970-01-01T00:00:01"


def test_a_time_without_a_zone_is_in_the_lists_zone_and_one_with_a_zone_is_not():
    assert moment("2024-07-31 11:00:00", "Europe/Madrid") == "2024-07-31T09:00:00"
    assert moment("2024-07-31 11:00:00Z", "Europe/Madrid") == "2024-07-31T11:00:00"


@pytest.mark.parametrize(
    "value",
    [
        "31 Jul 2024, 11:00",
        [2024, 7, 31, 11, 0],
        {"date": "2024-07-31", "time": "11:00"},
        {"value": "2024-07-31 11:00"},
    ],
)
def test_whatever_its_form_a_time_without_a_zone_is_in_the_lists_zone(value):
    assert moment(value, "Europe/Madrid") == "2024-07-31T09:00:00"


def test_an_abbreviation_means_the_lists_zone_before_any_other():
    assert moment("2024-01-31 09:00:00 CST") == "2024-01-31T15:00:00"
    assert moment("2024-01-31 09:00:00 CST", "Asia/Shanghai") == "2024-01-31T01:00:00"
    assert moment("2024-01-31 09:00:00 IST", "Asia/Kolkata") == "2024-01-31T03:30:00"
    assert moment("2024-10-27 02:30:00 CET", "Europe/Madrid") == "2024-10-27T01:30:00"  # the second of two


@pytest.mark.parametrize("how", ["2024-10-27 02:30:00", "2024-10-27T02:30"])
def test_of_an_hour_that_comes_twice_it_is_the_first(how):
    assert moment(how, "Europe/Madrid") == "2024-10-27T00:30:00"


def test_the_first_of_two_hours_is_the_first_in_dublin_too_where_winter_is_the_odd_time():
    assert moment("2024-10-27 01:30:00", "Europe/Dublin") == "2024-10-27T00:30:00"


@pytest.mark.parametrize("how", ["2024-03-31 02:30:00", "2024-03-31T02:30"])
def test_a_time_that_is_skipped_is_the_moment_at_which_the_clocks_went_forward(how):
    assert moment(how, "Europe/Madrid") == "2024-03-31T01:00:00"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0000-00-00 00:00:00", "that day or hour does not exist"),
        ("2023-02-29", "that day or hour does not exist"),
        ("2024-01-31T25:00:00Z", "that day or hour does not exist"),
        ("2024-01-31T09:00:00+99:00", "that zone does not exist"),
        ("31/01/2024", "its format is unknown"),
        ("yesterday", "its format is unknown"),
        ("", "its format is unknown"),
        ("9" * 50, "its format is unknown"),
        (2024, "in no unit is it one between 1995 and 2199"),
        (86400, "in no unit is it one between 1995 and 2199"),
        ("99999999", "that day or hour does not exist"),
        ("Fri, 31 Feb 2024 10:15:00 GMT", "that day or hour does not exist"),
        ("Fri, 05 Jan 2024 10:15:00 IST", "more than one"),
        ("2024-01-31 09:00:00 Mars/Phobos", "that zone does not exist"),
        ("2024-01-31 13:00:00 AM", "that day or hour does not exist"),
        ("5 Marraskuuta 2024, 10:00", "its format is unknown"),
        ("05-SEP-24", "its format is unknown"),
        (45322.375, "in no unit is it one between 1995 and 2199"),
        ("12:30", "its format is unknown"),
        (float("nan"), "not between the years 1 and 9999"),
        (10**400, "not between the years 1 and 9999"),
        ("9999-12-31T23:59:59-10:00", "not between the years 1 and 9999"),
        ("0001-01-01T00:00:00+10:00", "not between the years 1 and 9999"),
        (True, "is not a time"),
        ([1], "is not a time"),
        ([2024, 1, 31, True], "is not a time"),
        (Repeated([2024, 1, 31]), "is not a time"),
        ({}, "is not a time"),
        ({"id": 7}, "is not a time"),
        ({"date": "2024-01-31", "hour": 9}, "is not a time"),
        ({"seconds": 1706691600, "of": 60}, "is not a time"),
        ({"dateTime": "2024-01-31T10:00:00", "timeZone": "Pacific Standard Time"}, "its format is unknown"),
        ({"date": "2024-01-31 10:00", "timezone": {"id": 3}}, "is not a time"),
        ({"$date": {"$numberLong": "soon"}}, "is not a time"),
        ([2024, 13, 1], "that day or hour does not exist"),
    ],
)
def test_what_is_not_a_time_has_a_reason(value, reason):
    assert reason in moment(value)


def test_the_ends_of_the_calendar_are_times():
    assert moment("9999-12-31T23:59:59Z") == "9999-12-31T23:59:59"
    assert moment("9999-12-31") == "9999-12-31T00:00:00"
    assert moment("0001-01-01 00:00:00") == "0001-01-01T00:00:00"


ZONES = st.sampled_from(["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin"])
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2036, 1, 1))


@given(MOMENTS, ZONES)
def test_every_real_local_time_is_read_as_its_first_occurrence(local, zone):
    in_utc = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    exists = in_utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
    if exists:
        assert moment(local.isoformat(), zone) == in_utc.replace(tzinfo=None).isoformat()


TEXTS = st.one_of(
    MOMENTS.map(lambda m: m.isoformat()),
    MOMENTS.map(lambda m: m.isoformat(" ", "seconds") + "Z"),
    MOMENTS.map(lambda m: m.isoformat() + "+05:30"),
    st.dates().map(str),
    st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-9]{2}:[0-9]{2}(\.[0-9]{1,8})?(Z|[+-][0-9]{2}:[0-9]{2})?\Z"
    ),
    st.integers(),
    st.none(),
    st.text(max_size=5),
    st.sampled_from(
        ["0000-00-00 00:00:00", "2024-02-30T00:00:00Z", "1970-01-01 00:00:00", "1970-01-01T01:00:00+01:00"]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(0, 10**19),
    st.sampled_from([0, -62_169_984_000, -2_208_988_800, 20240105, 202401051015, 20240105101500, 10**11, 10**12 - 1]),
)


@given(
    st.one_of(
        st.lists(TEXTS),
        st.lists(NUMBERS),
        st.lists(MOMENTS.map(lambda m: m.isoformat())),
        st.lists(MOMENTS.map(lambda m: m.isoformat() + "Z")),
        st.lists(st.one_of(*[MOMENTS.map(lambda m: m.isoformat() + "Z")] * 4, TEXTS.filter(lambda t: type(t) is str))),
        st.lists(st.one_of(st.integers(915_148_800, 2_000_000_000), st.none())),
        st.lists(st.integers(915_148_800_000, 2_000_000_000_000)),
        st.lists(st.one_of(*[st.integers(915_148_800, 2_000_000_000)] * 4, NUMBERS)),
        st.lists(st.one_of(*[st.integers(915_148_800_000, 2_000_000_000_000)] * 4, NUMBERS)),
        st.lists(st.integers(788_918_300, 788_918_500)),
        st.lists(st.integers(20_000_101, 20_301_231)),
        st.lists(st.integers(199_912_312_000, 203_012_312_359)),
    ),
    ZONES,
    st.sampled_from([None, "seconds", "milliseconds", "microseconds", "nanoseconds"]),
)
def test_a_values_neighbours_do_not_change_how_it_is_read(values, zone, epoch):
    written = TimeFormat(zone, epoch, no_times=NONE)
    together, reasons = timestamps(values, written)
    for position, value in enumerate(values):
        # Beside a fraction, every value is read by itself.
        [alone, _], alone_reasons = timestamps([value, 1_000_000_000.5], written)
        assert (alone, alone_reasons.get(0)) == (together[position], reasons.get(position))
