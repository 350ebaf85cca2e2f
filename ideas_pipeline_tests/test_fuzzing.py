"""Whatever operators write and servers send: a result or an error of ours, no lost neighbour, each record counted.

With IDEAS_SOAK, each test tries 20,000 examples, of contracts 1,000. Values of records, timestamps among them, have
laws of their own (``records/test_typed.py``, ``records/test_timestamps.py``).
"""

from __future__ import annotations

import copy
import json
import math
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.errors import ContractError, IdeasApiError, SettingsError
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.error_bodies import stated_error
from ideas_pipeline.ideas_api.json_body import parse
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline.ideas_api.refusals import rate_limit_sign, retryable_status
from ideas_pipeline.ideas_api.responses import LONGEST_PAUSE, Response, is_web_page
from ideas_pipeline.settings import Settings, from_environment, variable
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, paged
from ideas_pipeline_tests.records.rows import loaded, typed_rows

SOAK = "IDEAS_SOAK" in os.environ
many = settings(max_examples=20_000 if SOAK else 40)
some = settings(max_examples=1_000 if SOAK else 25)

CONTRACT = contract_with({})
LINKED = paged({"style": "next_link", "size": 3})
WORDS = st.sampled_from(
    ["id", "page", "none", "{idea_id}", "a.b", "@body", "2026-01-01", "0", "-1", "1e999", "é", "\x00"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
DOCUMENT = json.loads(CONTRACT.model_dump_json(by_alias=True, exclude_unset=True))


def places(document: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [steps, *(place for step, value in inside for place in places(value, (*steps, step)))]


def contract_of(text: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "contract.yaml")
        file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        with suppress(ContractError):
            load_contract(file)


@some
@given(st.sampled_from(places(DOCUMENT)[1:]), JSON)
def test_any_value_at_any_place_of_a_contract_is_used_or_refused(place: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(DOCUMENT)
    inside = changed
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    contract_of(json.dumps(changed))


@many
@given(st.binary(max_size=60) | st.text("abc:-[]{}&*!|>%@`'\"#,?\n\t\x00 0é", max_size=60))
def test_any_file_is_a_contract_or_refused(text: str | bytes) -> None:
    contract_of(text)


@many
@given(
    st.dictionaries(
        st.sampled_from([variable(field) for field in Settings.model_fields]) | st.text(max_size=9).map(variable),
        st.text(max_size=12) | WORDS | st.sampled_from(["sqlite:///x", "postgresql://u:p@h:x/", "https://[", "a@b"]),
        max_size=4,
    )
)
def test_any_settings_are_used_or_refused(written: dict[str, str]) -> None:
    with suppress(SettingsError):
        from_environment(written)


HEADER = (
    st.text(st.characters(max_codepoint=255), max_size=40)
    | st.sampled_from(["nan", "inf", "-1", "9" * 400, "Thu, 01 Jan 0000 00:00:00 GMT", "²", "1;w=1", "r=0;t=-9"])
    | st.text("<>;=\"', /next:rel@[]", max_size=40)
    | st.floats().map(str)
    | st.integers().map(str)
)
NAMES = ("Retry-After", "Date", "Link", "X-RateLimit-Reset", "X-RateLimit-Remaining", "RateLimit", "RateLimit-Reset")


@many
@given(st.dictionaries(st.sampled_from(NAMES), HEADER), st.sampled_from([200, 403, 429, 500, 503, 999]), JSON)
def test_any_headers_ask_for_a_pause_that_can_be_kept(headers: dict[str, str], status: int, body: Any) -> None:
    held = CaseInsensitiveDict(headers)
    sign = rate_limit_sign(status, held, stated_error(body, status))
    for pause in (sign and sign.pause, retryable_status(status, held).retry_after):
        assert pause is None or (math.isfinite(pause) and 0 <= pause <= LONGEST_PAUSE)


def response(body: Any, headers: dict[str, str] | None = None) -> Response:
    kept = CaseInsensitiveDict(headers or {})
    return Response(200, kept, body, "", "https://ideas.example/v2/ideas", requests=1, received_at=0.0)


@many
@example('<https://[>; rel="next"')
@given(HEADER)
def test_any_link_leads_to_the_same_host_or_is_refused(link: str) -> None:
    position = pagination.first(LINKED.streams["users"].paging)
    try:
        page = PageReader(LINKED).page("users", "", position, response({"data": [{"id": 1}]}, {"Link": link}))
    except IdeasApiError:
        return
    assert page.next is None or str(page.next).startswith("https://ideas.example")
    assert len(page.records) == 1


@many
@given(
    st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode("utf-16")),
    st.sampled_from(["utf-8", "utf-16", "idna", "rot13", "hex", "zlib", "utf-7", "cp037", "nope", "\x00", "undefined"])
    | st.text(max_size=9),
)
def test_any_bytes_with_any_charset_are_json_or_refused(body: bytes, charset: str) -> None:
    is_web_page(body)
    try:
        parsed = parse(body, f"application/json; charset={charset}")
    except ValueError:
        return
    json.dumps(parsed.value).encode()  # nothing is left that cannot be stored


@many
@given(st.sampled_from(list(CONTRACT.streams)), JSON)
def test_any_record_is_counted_and_costs_no_neighbour(stream: str, odd: Any) -> None:
    good: list[Any] = [{"id": "first"}, {"id": "last"}]
    body = {"data": [good[0], odd, good[1]]}
    position = pagination.first(CONTRACT.streams[stream].paging)
    page = PageReader(CONTRACT).page(stream, "7", position, response(body))
    assert len(page.records) == 3
    result = typed_rows(stream, *(record.columns | {"_extra": record.extra} for record in page.records))
    ids = [row["id"] for row in loaded(result)]
    whole = [reject for reject in result.rejects if reject.column is None]
    assert {"first", "last"} <= set(ids)
    assert len(ids) + len(whole) >= 3 or len({str(record.columns.get("id")) for record in page.records}) < 3


@many
@given(st.sampled_from(list(CONTRACT.streams)), JSON)
def test_any_body_is_a_page_or_an_error_of_ours(stream: str, body: Any) -> None:
    position = pagination.first(CONTRACT.streams[stream].paging)
    with suppress(IdeasApiError):
        PageReader(CONTRACT).page(stream, "7", position, response(body))
