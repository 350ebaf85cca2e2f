"""Read a HAR file (http://www.softwareishard.com/blog/har-12-spec/): requests and responses that a browser recorded."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.fit.evidence import Exchange, origin_of
from ideas_pipeline.ideas_api.error_bodies import stated_error


def is_har(document: Any) -> bool:
    """Whether a document is a HAR file."""
    return isinstance(document, dict) and isinstance(document.get("log"), dict) and isinstance(_entries(document), list)


def read_har(document: Any, source: str) -> list[Exchange]:
    """The requests with a JSON answer, and the requests of the login. Their paths are absolute."""
    found = []
    for entry in _entries(document):
        try:
            exchange = _exchange(entry, source)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue  # an entry that is not an HTTP exchange, such as a WebSocket
        if exchange.body is not None or (exchange.text and exchange.method == "POST"):
            found.append(exchange)
    return found


def _entries(document: Any) -> Any:
    return document["log"].get("entries")


def _exchange(entry: Any, source: str) -> Exchange:
    request, response = entry["request"], entry.get("response") or {}
    parts = urlsplit(request["url"])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    values: dict[str, Json] = dict(parse_qsl(parts.query, keep_blank_values=True))
    send_as: SendAs = "query"
    posted = _posted(request.get("postData") or {})
    if posted is not None:
        values, send_as = posted
    body, text = _content(response.get("content") or {})
    status = int(response.get("status") or 0)
    return Exchange(
        source,
        str(request["method"]).upper(),
        parts.path,
        values,
        send_as,
        _pairs(request.get("headers")),
        status or None,
        body,
        text,
        _pairs(response.get("headers")),
        _moment(entry),
        base=origin_of(parts),
        states_error=200 <= status < 300 and stated_error(body, status).marked,
    )


def _posted(data: dict[str, Any]) -> tuple[dict[str, Json], SendAs] | None:
    """The parameters of a form or of a JSON body."""
    if not data:
        return None
    if "json" in str(data.get("mimeType", "")):
        try:
            body = json.loads(data.get("text") or "")
        except ValueError:
            return None
        return (body, "json") if isinstance(body, dict) else None
    if data.get("params"):
        return {p["name"]: p.get("value", "") for p in data["params"]}, "form"
    return dict(parse_qsl(data.get("text") or "", keep_blank_values=True)), "form"


def _content(content: dict[str, Any]) -> tuple[Json, str]:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        try:
            text = base64.b64decode(text).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return None, ""
    try:
        return json.loads(text), ""
    except (ValueError, RecursionError):
        return None, text if len(text) < 1000 and "<" not in text else ""


def _pairs(headers: Any) -> CaseInsensitiveDict[str]:
    return CaseInsensitiveDict((str(pair["name"]), str(pair["value"])) for pair in headers or [])


def _moment(entry: Any) -> float | None:
    """When the response came, in seconds since 1970; None if it is not known."""
    try:
        start = datetime.fromisoformat(str(entry["startedDateTime"]).replace("Z", "+00:00"))
    except (KeyError, ValueError):
        return None
    taken = entry.get("time")
    return (
        start.timestamp() + (taken / 1000 if isinstance(taken, int | float) and taken > 0 else 0)
        if start.tzinfo
        else None
    )
