from __future__ import annotations

import json

import pytest

from ideas_pipeline.ideas_api.json_body import parse


def test_plain_json_is_read() -> None:
    assert parse('{"a": [1, 2.5, true, null, "ä 🎉"]}'.encode()) == {"a": [1, 2.5, True, None, "ä 🎉"]}


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff", "\\udc00\\ud800"])
def test_what_no_engine_stores_is_replaced_in_texts_and_names_at_any_depth(escape: str) -> None:
    body = f'[{{"x{escape}": {{"y": ["{escape}z", 1]}}}}]'.encode()
    mark = "\ufffd" * escape.count("\\u")
    assert parse(body) == [{f"x{mark}": {"y": [f"{mark}z", 1]}}]


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse(b'["\\ud83c\\udf89", "\\ud800"]') == ["🎉", "\ufffd"]


def test_a_backslash_before_u0000_is_text() -> None:
    assert parse(b'"\\\\u0000"') == "\\u0000"


def test_not_a_number_is_no_value() -> None:
    assert parse(b"[NaN, Infinity, -Infinity, 1]") == [None, None, None, 1]


def test_an_integer_of_64_bits_keeps_every_digit() -> None:
    assert parse(b"[9007199254740993, 18446744073709551615]") == [9007199254740993, 18446744073709551615]


def test_everything_read_can_be_written_for_an_engine() -> None:
    parsed = parse(b'{"a": "\\ud800\\u0000", "b": NaN}')
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
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(body)
