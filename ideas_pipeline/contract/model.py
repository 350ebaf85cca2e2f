"""The contract: what one Ideas API looks like, as data.

The API's endpoint reference is not public, so nothing about it is code. These models say what can be expressed;
``contract.yaml`` says what we take for granted until an operator knows better; ``contract_file`` reads and merges.

Vocabulary
    path (of a value)    dotted, into the JSON: ``author.id``. A list of paths means: the first that is present wins.
                         ``@value`` is the item itself (a list of plain texts), ``@key`` its key in a keyed map,
                         ``@index`` its position from 0, ``@body`` the whole response.
    placeholder          ``{challenge_id}`` in a URL path: the value that the scope was planned for;
                         ``{page}``, ``{size}``, ``{offset}``, ``{cursor}``: paging that travels in the URL's path.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ideas_pipeline.contract.auth import Auth
from ideas_pipeline.contract.paging import Paging
from ideas_pipeline.contract.types import Address, Json, Mistake, Model, Paths, SendAs, UrlPath, Zone


class FieldSource(Model):
    """Where a column's value is, and what else means "none" there.

    Short forms in YAML: ``title: title`` and ``title: [title, name]``.
    ``epoch``: a number there counts seconds or milliseconds since 1970 (UTC).
    """

    paths: Paths
    none: tuple[Json, ...] = ()
    epoch: Literal["seconds", "milliseconds"] = "seconds"


def _field_source(value: Any) -> Any:
    return {"paths": value} if isinstance(value, str | list | tuple) else value


Fields = dict[str, Annotated[FieldSource, BeforeValidator(_field_source)]]


class Embedded(Model):
    """A list (or keyed map) inside a record that is a table of its own.

    ``parent_key``: the column of this table that holds the record's own key.
    A record without any of ``paths`` says nothing about its list; an empty one says that it is empty.
    ``volatile``: as in a stream.
    """

    paths: Paths
    parent_key: str
    fields: Fields
    volatile: tuple[str, ...] = ()


class Each(Model):
    """One scope for every value of these warehouse columns: ``challenges.id``, ``comments.author_id``.

    ``placeholder``: its name in the path; a column of that name in the stream's table gets the value.
    ``moves``: a record can come to belong to another scope (an idea moved to another challenge).
    ``declared``: a column of the parent that says how many records its list should have.
    ``changed_when``: columns of the parent that differ whenever the list has changed. Without them it is always read.
    """

    of: Paths
    placeholder: str
    moves: bool = False
    declared: str | None = None
    changed_when: tuple[str, ...] = ()

    @field_validator("of")
    @classmethod
    def _table_and_column(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name.count(".") != 1:
                raise ValueError(f"{name!r} is not a table and a column, such as ideas.id")
        return value


class Bound(Model):
    """A parameter that filters a list by time: records whose ``column`` is not before (or before) the moment sent.

    ``format``: ``iso`` (2026-01-31T09:00:00Z), ``epoch`` (seconds) or ``date`` (2026-01-31, the beginning of that day
    in the stream's time zone; more is asked for where the moment is within a day).
    """

    parameter: str
    column: str
    format: Literal["iso", "date", "epoch"] = "iso"


class Account(Model):
    """Where the API says as whom it sees us. ``role``: a lesser one than before means that rows may be hidden."""

    path: UrlPath
    role: Paths


_PAGING_PLACES = {"page", "size", "offset", "cursor"}


def _unfilled(names: set[str]) -> str:
    return f"the path has {{{min(names)}}}, which nothing fills: name it in each.placeholder"


class Stream(Model):
    """One kind of record and how to read its lists. Its name is the name of its table.

    ``records``: where the list is; ``@body`` for a bare array. A map of records keyed by id is read as their list.
    ``reads``: ``list``, or ``one`` where each scope is a single record (a user's profile).
    ``key``: the columns that make the id where the record brings none of its own; every id, where ``id`` is among them.
    ``volatile``: columns, and unmapped fields, that change without meaning (signed URLs): stored, never compared.
    ``cursor``: the column that says to which day a record belongs, for backfills.
    ``since``, ``until``: parameters that filter by time; ``lookback`` seconds are read anew each time. A backfill uses
    those that filter by the ``cursor``; a list that is read from a moment on is read whole from time to time.
    ``hidden_by_rights``: records vanish when the account loses rights, so an absence waits for an operator.
    """

    method: Literal["GET", "POST"] = "GET"
    path: UrlPath
    send_as: SendAs = "query"
    parameters: dict[str, str | int | bool] = Field(default_factory=dict)
    each: Each | None = None
    reads: Literal["list", "one"] = "list"
    records: Paths
    key: tuple[str, ...] = ()
    fields: Fields
    timezone: Zone | None = None
    volatile: tuple[str, ...] = ()
    cursor: str = "created_at"
    since: Bound | None = None
    until: Bound | None = None
    lookback: int = Field(default=3600, ge=0)
    hidden_by_rights: bool = False
    paging: Paging
    embedded: dict[str, Embedded] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Stream:
        if not self.each and (unknown := self.placeholders() - _PAGING_PLACES):
            raise ValueError(_unfilled(unknown))
        if self.each and self.each.placeholder not in self.placeholders():
            raise ValueError(
                f"each scope is one {self.each.placeholder}, so the path must contain {{{self.each.placeholder}}}"
            )
        if self.method == "GET" and self.send_as != "query":
            raise ValueError("a GET request has no body: set send_as to query, or method to POST")
        if self.reads == "one" and not self.each:
            raise ValueError("a stream that reads one record at a time needs each: the ids to read")
        if self.reads == "one" and self.paging.style != "none":
            raise ValueError("a single record has no pages: set paging.style to none")
        if "id" not in self.fields and not self.key:
            raise ValueError("a record needs an id: map the column id, or name the columns that make one in key")
        if "id" in self.key and ("id" not in self.fields or self.reads == "one"):
            raise ValueError("a key with id needs records of a list that have one: map the column id")
        return self

    def placeholders(self) -> set[str]:
        """The names in the path."""
        return {name for _, name, _, _ in string.Formatter().parse(self.path) if name}


class Limits(Model):
    """How hard the API may be asked. Times are in seconds.

    ``attempts`` and ``deadline`` bound one request with all its retries, whichever comes first.
    ``sweeps``: how often a list is read again while two readings disagree.
    """

    requests_per_second: float | None = Field(default=None, gt=0)
    requests_per_hour: int | None = Field(default=None, gt=0)
    concurrency: int = Field(default=8, ge=1, le=64)
    connect_timeout: float = Field(default=10, gt=0)
    read_timeout: float = Field(default=60, gt=0)
    attempts: int = Field(default=6, ge=1)
    deadline: float = Field(default=300, gt=0)
    sweeps: int = Field(default=5, ge=2)


class Contract(Model):
    """What one Ideas API looks like.

    ``none_values``: JSON values that mean "none" in every column (a column can add its own).
    ``not_stored``: names of fields that are kept out of ``_extra`` and of rejected records, at any depth.
    ``error_paths``: a body that has a value at one of these, and no records, is an error whatever its status.
    ``timezone``: of timestamps that name none.
    """

    version: Literal[1]
    hosts: dict[str, Address]
    auth: Auth
    account: Account | None = None
    limits: Limits
    timezone: Zone
    none_values: tuple[Json, ...]
    not_stored: tuple[str, ...]
    error_paths: Paths
    streams: dict[str, Stream]

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Contract:
        """Check what no stream can check alone, then whatever the context of the validation adds (a ``Check``)."""
        found = list(self._mistakes())
        if info.context:
            known = {mistake.steps for mistake in found}
            found += [mistake for mistake in info.context(self) if mistake.steps not in known]
        if found:
            sentences = "; ".join(map(str, found))
            raise PydanticCustomError("mistakes", "{sentences}", {"mistakes": found, "sentences": sentences})
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        tables = self.tables()
        for name, stream in self.streams.items():
            for source in stream.each.of if stream.each else ():
                if source.split(".")[0] not in tables:
                    what = f"is wrong: no stream fills the table of {source!r}"
                    yield Mistake(("streams", name, "each", "of"), what)
            if unknown := stream.placeholders() - self._filled(stream):
                yield Mistake(("streams", name, "path"), f"is wrong: {_unfilled(unknown)}")
        if waiting := self.streams.keys() - self.order():
            yield Mistake(("streams",), f"wait for each other: {', '.join(sorted(waiting))}")

    def _filled(self, stream: Stream) -> set[str]:
        """What there is for a list's path: its place among the pages, its parent's id, what makes that id unique."""
        parents = [self.streams.get(source.removesuffix(".id")) for source in stream.each.of] if stream.each else []
        made_of = {column for parent in parents if parent and "id" in parent.key for column in parent.key}
        return (made_of - {"id"}) | _PAGING_PLACES | ({stream.each.placeholder} if stream.each else set())

    def tables(self) -> dict[str, str]:
        """Every table that the contract fills, with the stream that fills it."""
        filled = {name: name for name in self.streams}
        for name, stream in self.streams.items():
            filled |= dict.fromkeys(stream.embedded, name)
        return filled

    def depends_on(self, stream: str) -> set[str]:
        """The streams whose tables give this one its scopes."""
        each = self.streams[stream].each
        tables = self.tables()
        parents = {source.split(".")[0] for source in each.of} if each else set()
        return {tables[parent] for parent in parents & tables.keys()} - {stream}

    def order(self) -> list[str]:
        """The streams, each after those that it depends on."""
        done: list[str] = []
        while ready := [s for s in self.streams if s not in done and self.depends_on(s) <= set(done)]:
            done += ready
        return done

    def stream_timezone(self, stream: str) -> str:
        return self.streams[stream].timezone or self.timezone
