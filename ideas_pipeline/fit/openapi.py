"""Read an OpenAPI 3 or Swagger 2 document: each operation becomes an exchange with a made-up answer of its shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.fit.evidence import Exchange, origin_of

_METHODS = ("get", "post")
_DEEPEST = 8
# After so many samples for the references of one body, samples that were cut are reused, too.
_MOST_SAMPLES = 1000
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


@dataclass(slots=True)
class _Made:
    """The samples that were made for one body.

    Attributes:
        samples: the samples by reference.
        count: how many references were followed.
        cuts: how often a sample was cut because it was too deep.
    """

    samples: dict[str, Json] = field(default_factory=dict)
    count: int = 0
    cuts: int = 0


class _Document:
    def __init__(self, document: dict[str, Any], source: str) -> None:
        self._document = document
        self._source = source

    def exchanges(self) -> Iterator[Exchange]:
        base, prefix = self._server()
        headers = self._security()
        for path, item in self._map(self._document.get("paths")).items():
            item = self._map(item)
            for method in _METHODS:
                operation = item.get(method)
                if isinstance(operation, dict):
                    yield self._exchange(f"{prefix}{path}", method, item, operation, (base, headers))

    def _exchange(
        self,
        path: str,
        method: str,
        item: dict[str, Any],
        operation: dict[str, Any],
        shared: tuple[str, dict[str, str]],
    ) -> Exchange:
        base, headers = shared
        given = [self._map(p) for p in [*_list(item.get("parameters")), *_list(operation.get("parameters"))]]
        values = {str(p["name"]): self._default(p) for p in given if p.get("in") == "query" and p.get("name")}
        send_as: SendAs = "query"
        form: dict[str, Json] = {str(p["name"]): "" for p in given if p.get("in") == "formData" and p.get("name")}
        if form:
            values, send_as = form, "form"
        for media, content in self._map(self._map(operation.get("requestBody")).get("content")).items():
            sample = self._sample(self._map(content).get("schema"), 0, _Made())
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
        responses = self._map(operation.get("responses"))
        status = next((s for s in responses if str(s).startswith("2")), None)
        if status is None:
            return None, None, {}
        response = self._map(responses[status])
        names = {str(name): "100" for name in self._map(response.get("headers"))}
        contents = self._map(response.get("content")).items()
        content = next((self._map(content) for media, content in contents if "json" in media), {})
        examples = [content.get("example")]
        examples += [self._map(e).get("value") for e in self._map(content.get("examples")).values()]
        examples.append(self._map(response.get("examples")).get("application/json"))
        example = next((e for e in examples if e is not None), None)
        schema = content.get("schema", response.get("schema"))
        body = example if example is not None else self._sample(schema, 0, _Made())
        return int(status) if str(status).isdecimal() else 200, body, names

    def _server(self) -> tuple[str, str]:
        """The scheme and host of the API, and the path that every path is below."""
        url = next((str(self._map(server).get("url") or "") for server in _list(self._document.get("servers"))), "")
        prefix = str(self._document.get("basePath") or "")
        if not url and self._document.get("host"):
            scheme = next(iter(_list(self._document.get("schemes"))), "https")
            url = f"{scheme}://{self._document['host']}{prefix}"
        try:
            parts = urlsplit(url or prefix)
        except ValueError:
            return "", ""
        base = origin_of(parts) if parts.netloc and "{" not in parts.netloc else ""
        return base, parts.path.rstrip("/")

    def _security(self) -> dict[str, str]:
        """The header that carries the token; empty if the document describes none."""
        schemes = self._map(self._map(self._document.get("components")).get("securitySchemes"))
        for scheme in map(self._map, (schemes or self._map(self._document.get("securityDefinitions"))).values()):
            if scheme.get("type") == "apiKey" and scheme.get("in") == "header" and scheme.get("name"):
                return {str(scheme["name"]): "{access_token}"}
            is_bearer = scheme.get("type") == "http" and str(scheme.get("scheme", "")).lower() == "bearer"
            if is_bearer or scheme.get("type") == "oauth2":
                return {"Authorization": "Bearer {access_token}"}
        return {}

    def _default(self, parameter: dict[str, Any]) -> Json:
        schema = self._map(parameter.get("schema") or parameter)
        for name in ("example", "default", "minimum"):
            if schema.get(name) is not None:
                return schema[name]
        return 1 if schema.get("type") in ("integer", "number") else ""

    def _map(self, node: Any) -> dict[str, Any]:
        """The map that a node is or that its local reference leads to; empty if there is none."""
        for _ in range(_DEEPEST):
            if not (isinstance(node, dict) and isinstance(node.get("$ref"), str)):
                return node if isinstance(node, dict) else {}
            at: Any = self._document
            for name in node["$ref"].removeprefix("#/").split("/"):
                name = name.replace("~1", "/").replace("~0", "~")
                at = at.get(name, {}) if isinstance(at, dict) else {}
            node = at
        return {}

    def _sample(self, schema: Any, depth: int, made: _Made) -> Json:
        """A value of a schema's shape.

        Args:
            schema: the schema, or a reference to one.
            depth: how many schemas are around it.
            made: gets the sample of each reference. A schema that refers to itself has null there. A sample that was
                cut is not reused: less deep in the body, more of it fits.
        """
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return self._sample_of(self._map(schema), depth, made)
        if reference in made.samples:
            return made.samples[reference]
        cuts = made.cuts
        made.count += 1
        made.samples[reference] = None
        sample = made.samples[reference] = self._sample_of(self._map(schema), depth, made)
        if made.cuts > cuts and made.count < _MOST_SAMPLES:
            del made.samples[reference]
        return sample

    def _sample_of(self, schema: dict[str, Any], depth: int, made: _Made) -> Json:
        if depth > _DEEPEST:
            made.cuts += 1
            return None
        for name in ("example", "default", "const"):
            if schema.get(name) is not None:
                return schema[name]
        if enumeration := _list(schema.get("enum")):
            return enumeration[0]
        if schema.get("allOf"):
            parts = [self._sample(part, depth + 1, made) for part in _list(schema["allOf"])]
            merged = {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}
            return merged or (parts[0] if parts else None)
        for name in ("oneOf", "anyOf"):
            if schema.get(name):
                samples = [self._sample(part, depth + 1, made) for part in _list(schema[name])]
                return next((sample for sample in samples if sample is not None), None)
        return self._sample_of_type(schema, depth, made)

    def _sample_of_type(self, schema: dict[str, Any], depth: int, made: _Made) -> Json:
        kinds = schema.get("type")
        kind = next((k for k in kinds if k != "null"), None) if isinstance(kinds, list) else kinds
        if kind == "array":
            item = self._sample(schema.get("items"), depth + 1, made)
            return [item] if item is not None else []
        if kind == "object" or schema.get("properties"):
            parts = self._map(schema.get("properties"))
            below = {str(name): self._sample(part, depth + 1, made) for name, part in parts.items()}
            below |= {name: _TEXTS["date-time"] for name in below if below[name] == "text" and _TIME_NAME.search(name)}
            more = schema.get("additionalProperties")
            return below or ({"1": self._sample(more, depth + 1, made)} if isinstance(more, dict) else {})
        form = str(schema.get("format", ""))
        if kind == "integer":
            return 1_714_979_289 if form in ("unix-time", "timestamp", "epoch") else 1
        return {"number": 1.5, "boolean": True, "string": _TEXTS.get(form, "text")}.get(str(kind))


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []
