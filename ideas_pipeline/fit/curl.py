"""Read lines of curl, as an API's reference or a browser's "Copy as cURL" has them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.fit.evidence import Exchange

_DATA = {"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode"}
_WITH_VALUE = {"-o", "--output", "-u", "--user", "-b", "--cookie", "-A", "--user-agent", "-e", "--referer", "-m"} | {
    "--max-time",
    "--connect-timeout",
    "-x",
    "--proxy",
    "--cacert",
    "--cert",
    "--key",
    "-w",
    "--write-out",
    "--retry",
}


def curl_lines(text: str) -> list[str]:
    """The curl commands in a text; a backslash at the end of a line continues it."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = [re.sub(r"^[\s$>#`]*", "", line) for line in joined.splitlines()]
    return [line.rstrip("`") for line in lines if re.match(r"curl(\.exe)?\s", line)]


def read_curl(text: str, source: str) -> list[Exchange]:
    """The requests of curl lines. They have no responses, and their paths are absolute."""
    return [exchange for line in curl_lines(text) for exchange in _requests(line, source)]


def _requests(line: str, source: str) -> Iterator[Exchange]:
    try:
        words = shlex.split(line.replace("$'", "'"), comments=False)[1:]
    except ValueError:
        return
    url, method, as_query = "", "", False
    headers: dict[str, str] = {}
    data: list[str] = []
    fields: dict[str, Json] = {}
    json_body = ""
    following = iter(words)
    for word in following:
        name, _, attached = word.partition("=") if word.startswith("--") else (word, "", "")
        if (
            word.startswith("-")
            and not word.startswith("--")
            and len(word) > 2
            and word[:2] in ("-X", "-H", "-d", "-F")
        ):
            name, attached = word[:2], word[2:]

        def value(attached: str = attached) -> str:
            return attached or next(following, "")

        if name in ("-X", "--request"):
            method = value().upper()
        elif name in ("-H", "--header"):
            key, _, text = value().partition(":")
            headers[key.strip()] = text.strip()
        elif name in _DATA:
            data.append(value())
        elif name in ("-F", "--form"):
            key, _, text = value().partition("=")
            fields[key] = text
        elif name == "--json":
            json_body = value()
        elif name in ("-G", "--get"):
            as_query = True
        elif name == "--url":
            url = value()
        elif name in _WITH_VALUE:
            value()
        elif not word.startswith("-") and not url:
            url = word
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if not url or not parts.hostname:
        return
    query: dict[str, Json] = dict(parse_qsl(parts.query, keep_blank_values=True))
    posted, send_as = _body("&".join(data), fields, json_body)
    if as_query or not posted:
        values, send_as = query | (posted if as_query else {}), "query"
    else:
        values = posted
    method = method or ("POST" if posted and not as_query else "GET")
    yield Exchange(source, method, parts.path, values, send_as, headers, base=f"{parts.scheme}://{parts.netloc}")


def _body(data: str, fields: dict[str, Json], json_body: str) -> tuple[dict[str, Json], SendAs]:
    text = json_body or data
    if text.lstrip().startswith("{"):
        try:
            body = json.loads(text)
        except ValueError:
            return {}, "json"
        return (body if isinstance(body, dict) else {}), "json"
    return dict(parse_qsl(data, keep_blank_values=True)) | fields, "form"
