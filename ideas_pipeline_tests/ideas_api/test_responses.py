from __future__ import annotations

import json

import pytest

from ideas_pipeline.ideas_api.responses import http_date, parse_json, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 23:14:20 +0100", 60),
        ("1700000300", 300),
        ("1700000300.5", 300.5),
    ],
)
def test_seconds_dates_and_unix_times_are_understood(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("value", ["-5", "Tue, 14 Nov 2023 22:00:00 GMT", "1600000000"])
def test_a_moment_in_the_past_means_no_pause(value: str) -> None:
    assert retry_after(value, NOW) == 0


@pytest.mark.parametrize("value", ["999999999", "1900000000", "Tue, 14 Nov 2099 22:00:00 GMT"])
def test_a_pause_is_at_most_a_day(value: str) -> None:
    assert retry_after(value, NOW) == 86400


@pytest.mark.parametrize("value", [None, "", "soon", "nan", "inf", "12 minutes", "Tue, 99 Nov 2023 22:13:20 GMT"])
def test_an_invalid_value_means_no_pause(value: str | None) -> None:
    assert retry_after(value, NOW) is None


def test_a_date_header_is_parsed() -> None:
    assert http_date("Tue, 14 Nov 2023 22:13:20 GMT") == NOW
    assert http_date("yesterday") is None
    assert http_date(None) is None


def test_plain_json_is_parsed() -> None:
    assert parse_json('{"a": [1, 2.5, true, null, "ä 🎉"]}'.encode()) == {"a": [1, 2.5, True, None, "ä 🎉"]}


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff", "\\udc00\\ud800"])
def test_characters_that_no_engine_stores_are_replaced_in_texts_and_names_at_any_depth(escape: str) -> None:
    body = f'[{{"x{escape}": {{"y": ["{escape}z", 1]}}}}]'.encode()
    mark = "\ufffd" * escape.count("\\u")
    assert parse_json(body) == [{f"x{mark}": {"y": [f"{mark}z", 1]}}]


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse_json(b'["\\ud83c\\udf89", "\\ud800"]') == ["🎉", "\ufffd"]


def test_a_backslash_before_u0000_is_text() -> None:
    assert parse_json(b'"\\\\u0000"') == "\\u0000"


def test_nan_and_infinity_become_none() -> None:
    assert parse_json(b"[NaN, Infinity, -Infinity, 1]") == [None, None, None, 1]


def test_an_integer_of_64_bits_keeps_every_digit() -> None:
    assert parse_json(b"[9007199254740993, 18446744073709551615]") == [9007199254740993, 18446744073709551615]


def test_everything_read_can_be_written_for_an_engine() -> None:
    parsed = parse_json(b'{"a": "\\ud800\\u0000", "b": NaN}')
    written = json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert b"\x00" not in written


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": [1',
        b"\xff\xfe",
        b'"\xe4"',
        b"{} {}",
        b"[" * 100_000,
        b'["\\u0000",' + b"[" * 800 + b"]" * 800 + b"]",
    ],
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)
