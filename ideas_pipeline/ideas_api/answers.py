"""What an answer means, by its status and its body."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.utils

from ideas_pipeline.errors import ContractError
from ideas_pipeline.ideas_api import json_body
from ideas_pipeline.ideas_api.addresses import origin
from ideas_pipeline.ideas_api.failures import Again, refusal
from ideas_pipeline.ideas_api.retry_after import http_date, pause


def json_of(response: requests.Response, content: bytes) -> Any:
    """The JSON of a good answer; None where it has no content to give. Raises Again for anything else."""
    if response.status_code == HTTPStatus.NO_CONTENT:
        return None
    try:
        return json_body.parse(content)
    except ValueError:
        pass
    # Not within the except clause: that exception holds the body.
    raise _no_json(response, content)


def json_or_none(content: bytes) -> Any:
    """The JSON of a body, or None where it is none."""
    try:
        return json_body.parse(content)
    except ValueError:
        return None


def raise_for(response: requests.Response, method: str, path: str) -> None:
    """Raises what a status other than 2xx and 401 means: Again, AccessDenied, NotFound or RequestRefused."""
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        # Their clock tells what their date means.
        now = http_date(response.headers.get("Date")) or time.time()
        raise Again(
            f"the answer was HTTP {status}",
            status=status,
            retry_after=pause(response.headers.get("Retry-After"), now),
            processed=status != HTTPStatus.TOO_MANY_REQUESTS,
        )
    raise refusal(status, method, path)


def redirect_target(response: requests.Response, method: str, url: str) -> str:
    """Where a redirect of ``url`` leads. Raises ContractError where it must not be followed."""
    status, path = response.status_code, urlsplit(url).path
    hint = "Check the base URL (the right region?) and the path in the contract."
    if method != "GET":
        raise ContractError(f"the API redirects {method} {path}", status=status, hint=hint)
    try:
        target = urljoin(url, response.headers["Location"])
        parts = urlsplit(target)
        same = origin(parts) == origin(urlsplit(url))
    except (KeyError, ValueError):
        raise ContractError(f"the API redirects {path} to nowhere", status=status, hint=hint) from None
    if not same:
        raise ContractError(
            f"the API redirects {path} to {parts.scheme}://{parts.hostname}, and the token is not sent there",
            status=status,
            hint=hint,
        )
    return requests.utils.requote_uri(target)


def _no_json(response: requests.Response, content: bytes) -> Again:
    status = response.status_code
    if not content:
        return Again("the body was empty", status=status)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        hint = "A login or maintenance page? Open the API's address in a browser."
        return Again("the body was a web page, not JSON", status=status, hint=hint)
    return Again("the body was no JSON, or cut short", status=status)
