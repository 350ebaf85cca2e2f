"""An HTTP answer before it is sent, and what a request sent."""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from ideas_pipeline.contract.types import Json, SendAs

JSON = "application/json"
_CONTENT_TYPES = {"form": "application/x-www-form-urlencoded", "json": JSON}


@dataclass
class Answer:
    """Status, body and headers."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON


class Refused(Exception):
    """The request is not as the contract says; ``message`` tells the developer what is wrong with it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def json_bytes(value: Any) -> bytes:
    """JSON text. What orjson refuses (a lone surrogate, a very large number) is written with escapes."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode("ascii")


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json_bytes({"error": message}), headers or {})


async def sent_parameters(request: web.BaseRequest, send_as: SendAs) -> dict[str, Json]:
    """What was sent where the contract wants it; anything in the query besides raises Refused(400).

    ``form`` and ``query`` give texts, ``json`` gives what the body holds.
    """
    if send_as == "query":
        return dict(request.query)
    if request.query:
        raise Refused(400, f"unknown query parameter {min(request.query)}: parameters are sent as {send_as}")
    if request.content_type != _CONTENT_TYPES[send_as]:
        raise Refused(400, f"the content type must be {_CONTENT_TYPES[send_as]}, not {request.content_type}")
    if send_as == "form":
        return dict(await request.post())
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    return body


def template_pattern(template: str, value: str = ".+") -> re.Pattern[str]:
    """A pattern that finds the placeholders' values in a text made from ``template``."""
    parts: list[str] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P<{name}>{value})")
    return re.compile("".join(parts))
