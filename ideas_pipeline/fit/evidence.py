"""What was seen of the API: requests and responses in one form, whether they are live or come from a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.contract.types import Json, SendAs
from ideas_pipeline.probe.shapes import FIELD_NAME
from ideas_pipeline.records.single_times import sure_time

# A path segment that names a record: a number, a long hexadecimal text, a UUID, letters followed by digits, digits
# among upper and lower case letters, or an e-mail address.
_ID = re.compile(
    r"\d+|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[A-Za-z]{1,6}[-_]?\d{2,}"
    r"|(?=.*[a-z])(?=.*[A-Z])(?=.*\d.*\d)[A-Za-z0-9_-]{6,}|\S+(@|%40)\S+"
)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and its response if there is one.

    Attributes:
        source: ``the API``, or the name of a file.
        path: below the API's address, without a query; empty if the request is not known.
        values: the request's parameters.
        send_as: where the parameters are sent.
        headers: the request's headers.
        status: the response's status; None without a response.
        body: its JSON; None if it has none.
        text: its body as text, if it is not JSON.
        answer_headers: its headers.
        received_at: seconds since 1970; None if unknown.
        documented: from a description of the API: the names are real, the values are made up.
        base: the address that ``path`` is below; empty if unknown.
        problem: why no response came, as a clause.
        refuses_token: as in ``ideas_api.responses.Response``; always false in recorded exchanges.
        states_error: as there: a good status with a body that calls itself an error.
    """

    source: str
    method: str = "GET"
    path: str = ""
    values: Mapping[str, Json] = field(default_factory=dict, repr=False)
    send_as: SendAs = "query"
    headers: CaseInsensitiveDict[str] = field(default_factory=CaseInsensitiveDict, repr=False)
    status: int | None = None
    body: Json = field(default=None, repr=False)
    text: str = field(default="", repr=False)
    answer_headers: CaseInsensitiveDict[str] = field(default_factory=CaseInsensitiveDict, repr=False)
    received_at: float | None = None
    documented: bool = False
    base: str = ""
    problem: str = ""
    refuses_token: bool = False
    states_error: bool = False

    @property
    def ok(self) -> bool:
        """Whether the response has a good status and a readable body."""
        return self.status is not None and 200 <= self.status < 300 and not self.problem

    @property
    def is_missing(self) -> bool:
        """Whether the API has no such path or method."""
        return self.status in (404, 405, 410)


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every dotted path in ``value`` that leads to a text, number, boolean, null, or a map that is a time.

    Lists are left out, and so is everything below a name that may be a value, such as an e-mail address.
    """
    if isinstance(value, dict) and not sure_time(value):
        for name, below in value.items():
            if FIELD_NAME.fullmatch(name):
                yield from leaves(below, f"{path}.{name}".removeprefix("."))
    elif not isinstance(value, list):
        yield path or "@body", value


def origin_of(url: SplitResult) -> str:
    """The scheme and host of a URL, without a user name and password."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def names_a_record(segment: str) -> bool:
    """Whether a segment of a path is an id, or a placeholder for one."""
    return bool(_ID.fullmatch(segment) or _PLACEHOLDER.fullmatch(segment))


def path_below(path: str, base: str) -> str | None:
    """An absolute path relative to that of an address; None if it is not below it."""
    folder = f"{base.rstrip('/')}/"
    return path.removeprefix(folder).lstrip("/") if path.startswith(folder) else None
