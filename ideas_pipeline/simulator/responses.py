"""HTTP responses before they are sent, and the parameters of a request."""

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
class Response:
    """Status, body and headers of a response."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON


class RequestRefused(Exception):
    """A request that the API refuses with ``status``; ``message`` names the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class TokenRefused(RequestRefused):
    """A call whose token is missing, unknown or expired: 401, unless the API has another habit."""

    def __init__(self, message: str) -> None:
        super().__init__(401, message)


class TooFast(RequestRefused):
    """A call beyond the rate limit: 429, unless the API has another habit."""

    def __init__(self, message: str) -> None:
        super().__init__(429, message)


def json_bytes(value: Any) -> bytes:
    """Encode as JSON. Values that orjson refuses (lone surrogates, very large numbers) are written with escapes."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode("ascii")


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """A response whose JSON body has only ``error``."""
    return Response(status, json_bytes({"error": message}), headers or {})


async def sent_parameters(request: web.BaseRequest, send_as: SendAs) -> dict[str, Json]:
    """Read the parameters of a request from the place that the contract names.

    Returns:
        Parameters by name: text for ``form`` and ``query``, any JSON value for ``json``.

    Raises:
        RequestRefused: 400; the content type or the body is not as the contract says, or the query has parameters too.
    """
    if send_as == "query":
        return dict(request.query)
    if request.query:
        raise RequestRefused(400, f"unknown query parameter {min(request.query)}: parameters are sent as {send_as}")
    if request.content_type != _CONTENT_TYPES[send_as]:
        raise RequestRefused(400, f"the content type must be {_CONTENT_TYPES[send_as]}, not {request.content_type}")
    if send_as == "form":
        return dict(await request.post())
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise RequestRefused(400, "the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise RequestRefused(400, "the body must be a JSON object")
    return body


def template_pattern(template: str, value: str = ".+") -> re.Pattern[str]:
    """Compile a pattern with a named group for each placeholder of ``template``, each matching ``value``."""
    parts: list[str] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P<{name}>{value})")
    return re.compile("".join(parts))
