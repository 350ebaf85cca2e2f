from __future__ import annotations

import json
from typing import Any

import pytest

from ideas_pipeline.ideas_api.json_body import Parsed, parse
from ideas_pipeline.text import Repeated


def value_of(body: bytes, content_type: str = "") -> Any:
    return parse(body, content_type).value


def test_plain_json_is_parsed() -> None:
    assert value_of('{"a": [1, 2.5, true, null, "ä 🎉"]}'.encode()) == {"a": [1, 2.5, True, None, "ä 🎉"]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_byte_order_marks_and_the_patterns_of_wide_encodings_are_recognised(encoding: str) -> None:
    assert value_of('{"a": "é"}'.encode(encoding)) == {"a": "é"}


@pytest.mark.parametrize("charset", ["ISO-8859-1", "windows-1252", "Shift_JIS", "gbk", "utf-16-le", "UTF-8"])
def test_the_charset_of_the_header_is_honoured(charset: str) -> None:
    text = '["日本"]' if charset in ("Shift_JIS", "gbk") else '["é"]'
    parsed = parse(text.encode(charset), f'application/json; charset="{charset}"')
    assert (parsed.value, parsed.replaced) == ([text[2:-2]], 0)


@pytest.mark.parametrize("charset", ["ISO-8859-1", "us-ascii", "unknown-8bit", "base64"])
def test_a_charset_that_the_body_is_not_in_counts_for_nothing(charset: str) -> None:
    assert value_of('["é 日"]'.encode(), f"application/json; charset={charset}") == ["é 日"]


def test_bytes_that_are_not_text_are_replaced_and_counted() -> None:
    parsed = parse(b'{"a": "Ren\xc3", "b": "\xff\xef\xbf\xbd"}')
    assert (parsed.value, parsed.replaced) == ({"a": "Ren\ufffd", "b": "\ufffd\ufffd"}, 2)


def test_halves_of_a_character_that_are_encoded_one_by_one_are_joined() -> None:
    assert parse(b'["\xed\xa0\xbd\xed\xb8\x80"]') == Parsed(["😀"], 0)
    assert parse(b'["\xed\xa0\xbd"]') == Parsed(["\ufffd"], 1)


def test_a_line_break_within_a_text_is_kept() -> None:
    assert value_of(b'["a\nb\t"]') == ["a\nb\t"]


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff", "\\udc00\\ud800"])
def test_characters_that_no_engine_stores_are_replaced_in_texts_and_names_at_any_depth(escape: str) -> None:
    body = f'[{{"x{escape}": {{"y": ["{escape}z", 1]}}}}]'.encode()
    mark = "\ufffd" * escape.count("\\u")
    assert value_of(body) == [{f"x{mark}": {"y": [f"{mark}z", 1]}}]


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert value_of(b'["\\ud83c\\udf89", "\\ud800"]') == ["🎉", "\ufffd"]


def test_a_backslash_before_u0000_is_text() -> None:
    assert value_of(b'"\\\\u0000"') == "\\u0000"


def test_nan_and_infinity_become_none() -> None:
    assert value_of(b"[NaN, Infinity, -Infinity, 1]") == [None, None, None, 1]


def test_an_integer_of_64_bits_keeps_every_digit() -> None:
    assert value_of(b"[9007199254740993, 18446744073709551615]") == [9007199254740993, 18446744073709551615]


def test_a_longer_number_keeps_every_digit_at_any_depth() -> None:
    body = b'{"a": [{"id": 123456789012345678901}, -9223372036854775809, 9007199254740993.0, 12.0, 12.50]}'
    assert value_of(body) == {"a": [{"id": 123456789012345678901}, -9223372036854775809, 9007199254740993, 12.0, 12.5]}
    assert [type(n) for n in value_of(body)["a"][1:]] == [int, int, float, float]


def test_an_endless_number_costs_nothing_but_itself() -> None:
    assert value_of(b"[" + b"9" * 5000 + b", 1]") == ["9" * 5000, 1]


def test_a_name_that_comes_twice_with_different_values_has_both() -> None:
    parsed = value_of(b'{"a": 1, "b": {"c": "x\\":", "c" : 2}, "a": 2, "d": 3, "d": 3}')
    assert parsed == {"a": [1, 2], "b": {"c": ['x":', 2]}, "d": 3}
    assert isinstance(parsed["a"], Repeated)
    assert isinstance(parsed["b"]["c"], Repeated)


def test_everything_read_can_be_written_for_an_engine() -> None:
    parsed = value_of(b'{"a": "\\ud800\\u0000", "b": NaN}')
    written = json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert b"\x00" not in written


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": [1',
        b"\xff\xfe",
        b'"\xe4',
        b"{} {}",
        b"[" * 100_000,
        b'["\\u0000",' + b"[" * 2_000 + b"]" * 2_000 + b"]",
        b"[" * 2_000 + b"]" * 2_000,
    ],
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(body)
