"""Responses that say themselves that they are not whole: by their status, by a flag, or by an error beside the records.

GitHub's search sends ``incomplete_results``, Elasticsearch ``timed_out``, GraphQL ``errors`` beside ``data``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.envelopes import plain_name, unwrapped
from ideas_pipeline.ideas_api.error_bodies import says_error
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.ideas_api.responses import Response

_PARTIAL = re.compile(r"(is|results?)?(incomplete|partial)(results?|data|response)?|timedout")
# Of a page in the middle of a list, these may say no more than that pages follow (S3).
_CUT = re.compile(r"(is|results?)?truncated")
_META = re.compile(r"meta(data)?|paging|pagination|page(info)?|search(info)?|info")
# RFC 9110 section 14.4; PostgREST leaves out the unit.
_RANGE = re.compile(r"(?:[\w-]+ )?\d+-(\d+)/(\d+|\*)")


def says_partial(contract: Contract, spec: Stream, response: Response, *, is_last: bool) -> str | None:
    """Why a response is not whole, by what it says itself; None if it says nothing of the kind.

    Args:
        contract: where errors stand.
        spec: the stream.
        response: a page of it.
        is_last: whether no page follows, so that the rest of the list cannot be on the next one.
    """
    if response.status == HTTPStatus.PARTIAL_CONTENT and _is_cut(response.headers.get("Content-Range", ""), is_last):
        return "the API says that its response is partial (HTTP 206)"
    around = list(_around(response.body, spec))
    for each in around:
        for name, value in each.items():
            plain = plain_name(name)
            if value in (True, "true") and (_PARTIAL.fullmatch(plain) or (is_last and _CUT.fullmatch(plain))):
                return f"the API says that its response is partial ({name})"
    error = present(response.body, contract.error_paths) if around else MISSING
    if error is not MISSING and says_error(error):
        return "the response states an error beside its records"
    return None


def _is_cut(content_range: str, is_last: bool) -> bool:
    """Whether a 206 is less than its page. PostgREST sends one for each page of a list, with the page's range."""
    stated = _RANGE.fullmatch(content_range.strip())
    return stated is None or (is_last and (stated[2] == "*" or int(stated[1]) + 1 < int(stated[2])))


def _around(body: Json, spec: Stream) -> Iterator[dict[str, Json]]:
    """The maps around the records, and what they hold about them. The fields of a record are not among them."""
    for path in spec.records:
        at = body
        for step in () if path == "@body" else path.split("."):
            if not isinstance(at, dict):
                break
            yield from _with_meta(at)
            at = at.get(step)
        if isinstance(at, dict) and unwrapped(at) is not at:
            yield from _with_meta(at)


def _with_meta(envelope: dict[str, Json]) -> Iterator[dict[str, Json]]:
    yield envelope
    for name, value in envelope.items():
        if isinstance(value, dict) and _META.fullmatch(plain_name(name)):
            yield value
