"""Read an OpenAPI 3 or Swagger 2 document: each operation becomes an exchange with a made-up answer of its shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.fit.evidence import Exchange, origin_of

_METHODS = ("get", "post")
_DEEPEST = 8
_TIME_NAME = re.compile(r"(_at|_on|At|On|[dD]ate|[tT]ime|[tT]imestamp)$")
_TEXTS = {
    "date-time": "2024-05-06T07:08:09Z",
    "date": "2024-05-06",
    "uri": "https://community.example/1",
    "url": "https://community.example/1",
    "email": "person@people.example",
    "uuid": "6f1c0f5e-0000-4000-8000-000000000001",
}


def is_openapi(document: Any) -> bool:
    """Whether a document is an OpenAPI or Swagger document."""
    return isinstance(document, dict) and ("openapi" in document or "swagger" in document) and "paths" in document


def read_openapi(document: dict[str, Any], source: str) -> list[Exchange]:
    """The GET operations and the form or JSON operations of the login, as documented exchanges."""
    return list(_Document(document, source).exchanges())


class _Document:
    def __init__(self, document: dict[str, Any], source: str) -> None:
        self._document = document
        self._source = source

    def exchanges(self) -> Iterator[Exchange]:
        base, prefix = self._server()
        headers = self._security()
        for path, item in (self._document.get("paths") or {}).items():
            item = self._resolved(item)
            for method in _METHODS:
                operation = item.get(method) if isinstance(item, dict) else None
                if isinstance(operation, dict):
                    yield self._exchange(f"{prefix}{path}", method, item, operation, (base, headers))

    def _exchange(
        self, path: str, method: str, item: dict[str, Any], operation: dict[str, Any], where: tuple[str, dict[str, str]]
    ) -> Exchange:
        base, headers = where
        given = [self._resolved(p) for p in [*(item.get("parameters") or []), *(operation.get("parameters") or [])]]
        values = {p["name"]: self._default(p) for p in given if isinstance(p, dict) and p.get("in") == "query"}
        send_as: SendAs = "query"
        form = {p["name"]: "" for p in given if isinstance(p, dict) and p.get("in") == "formData"}
        body = self._resolved(operation.get("requestBody") or {})
        if form:
            values, send_as = form, "form"
        for media, content in (body.get("content") or {}).items():
            sample = self._sample(content.get("schema") or {}, 0)
            if isinstance(sample, dict):
                values, send_as = sample, "form" if "form" in media else "json"
                break
        status, answer, answer_headers = self._answer(operation)
        return Exchange(
            self._source,
            method.upper(),
            path,
            values,
            send_as,
            CaseInsensitiveDict(headers),
            status,
            answer,
            answer_headers=CaseInsensitiveDict(answer_headers),
            documented=True,
            base=base,
        )

    def _answer(self, operation: dict[str, Any]) -> tuple[int | None, Json, dict[str, str]]:
        responses = operation.get("responses") or {}
        status = next((s for s in responses if str(s).startswith("2")), None)
        if status is None:
            return None, None, {}
        response = self._resolved(responses[status])
        names = {str(name): "100" for name in (response.get("headers") or {})}
        schema, example = response.get("schema"), None
        for media, content in (response.get("content") or {}).items():
            if "json" in media:
                schema, example = content.get("schema"), content.get("example")
                examples = content.get("examples") or {}
                first = next((self._resolved(e) for e in examples.values()), None)
                example = example if example is not None else (first or {}).get("value")
                break
        examples = response.get("examples") or {}
        example = example if example is not None else examples.get("application/json")
        body = example if example is not None else self._sample(schema or {}, 0)
        return int(status) if str(status).isdecimal() else 200, body, names

    def _server(self) -> tuple[str, str]:
        """Scheme and host, and the path before every path."""
        servers = self._document.get("servers")
        url = (
            servers[0].get("url", "") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else ""
        )
        if not url and self._document.get("host"):
            schemes = self._document.get("schemes") or ["https"]
            url = f"{schemes[0]}://{self._document['host']}{self._document.get('basePath', '')}"
        parts = urlsplit(url or str(self._document.get("basePath", "")))
        base = origin_of(parts) if parts.netloc and "{" not in parts.netloc else ""
        return base, parts.path.rstrip("/")

    def _security(self) -> dict[str, str]:
        """The header that carries the token, if the document describes one."""
        schemes = (self._document.get("components") or {}).get("securitySchemes")
        for scheme in (schemes or self._document.get("securityDefinitions") or {}).values():
            scheme = self._resolved(scheme)
            if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
                return {str(scheme["name"]): "{access_token}"}
            if scheme.get("type") == "http" and str(scheme.get("scheme", "")).lower() == "bearer":
                return {"Authorization": "Bearer {access_token}"}
            if scheme.get("type") == "oauth2":
                return {"Authorization": "Bearer {access_token}"}
        return {}

    def _default(self, parameter: dict[str, Any]) -> Json:
        schema = self._resolved(parameter.get("schema") or parameter)
        for name in ("example", "default", "minimum"):
            if schema.get(name) is not None:
                return schema[name]
        return 1 if schema.get("type") in ("integer", "number") else ""

    def _resolved(self, node: Any) -> Any:
        """A node, or what its local reference leads to."""
        for _ in range(_DEEPEST):
            if not (isinstance(node, dict) and isinstance(node.get("$ref"), str)):
                return node
            at: Any = self._document
            for name in node["$ref"].removeprefix("#/").split("/"):
                name = name.replace("~1", "/").replace("~0", "~")
                at = at.get(name, {}) if isinstance(at, dict) else {}
            node = at
        return {}

    def _sample(self, schema: Any, depth: int) -> Json:
        """A value of a schema's shape."""
        schema = self._resolved(schema)
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return None
        for name in ("example", "default", "const"):
            if schema.get(name) is not None:
                return schema[name]
        if schema.get("enum"):
            return schema["enum"][0]
        if schema.get("allOf"):
            parts = [self._sample(part, depth + 1) for part in schema["allOf"]]
            maps = [part for part in parts if isinstance(part, dict)]
            return {name: value for part in maps for name, value in part.items()} or (parts[0] if parts else None)
        for name in ("oneOf", "anyOf"):
            if schema.get(name):
                samples = [self._sample(part, depth + 1) for part in schema[name]]
                return next((sample for sample in samples if sample is not None), None)
        return self._sample_of_type(schema, depth)

    def _sample_of_type(self, schema: dict[str, Any], depth: int) -> Json:
        kinds = schema.get("type")
        kind = next((k for k in kinds if k != "null"), None) if isinstance(kinds, list) else kinds
        if kind == "array":
            item = self._sample(schema.get("items") or {}, depth + 1)
            return [item] if item is not None else []
        if kind == "object" or schema.get("properties"):
            below = {name: self._sample(part, depth + 1) for name, part in (schema.get("properties") or {}).items()}
            below |= {name: _TEXTS["date-time"] for name in below if below[name] == "text" and _TIME_NAME.search(name)}
            more = schema.get("additionalProperties")
            return below or ({"1": self._sample(more, depth + 1)} if isinstance(more, dict) else {})
        if kind == "integer":
            return 1_714_979_289 if schema.get("format") in ("unix-time", "timestamp", "epoch") else 1
        return {"number": 1.5, "boolean": True, "string": _TEXTS.get(schema.get("format", ""), "text")}.get(str(kind))
