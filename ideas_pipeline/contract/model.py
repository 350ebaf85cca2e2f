"""Models of the contract: what one Ideas API looks like, as data.

The API's endpoint reference is not public, so nothing about the API is code. These models define what a contract can
say, ``contract.yaml`` holds the assumptions that are in force until an operator corrects them, and ``load.py`` merges
the operator's file over it.

Vocabulary
    path (of a value)    dotted, into the JSON: ``author.id``. Of several paths, the first that is present is used.
                         ``@value`` is the item itself (in a list of plain texts), ``@key`` its key in a keyed map,
                         ``@index`` its position from 0, and ``@body`` the whole response.
    placeholder          in a URL path: ``{challenge_id}`` is the scope; ``{page}``, ``{size}``, ``{offset}`` and
                         ``{cursor}`` are for paging in the URL's path.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ideas_pipeline.contract.auth import Auth
from ideas_pipeline.contract.paging import Paging
from ideas_pipeline.contract.types import Address, Json, Mistake, Model, NoTimes, Paths, SendAs, UrlPath, Zone


class FieldSource(Model):
    """The paths of a column's value, and the values that mean "none" in this column.

    Short forms in YAML: ``title: title`` and ``title: [title, name]``.
    ``epoch``: the unit of numbers that count from 1970 (UTC); without it, the unit in which a number is a time between
    1995 and 2199.
    ``no_times``: the times that mean "none" in this column, instead of those of the contract.
    ``entities``: the API escapes texts as in HTML, and ``R&amp;D`` stands for ``R&D``.
    """

    paths: Paths
    none: tuple[Json, ...] = ()
    epoch: Literal["seconds", "milliseconds", "microseconds", "nanoseconds"] | None = None
    no_times: NoTimes | None = None
    entities: bool = False


def _field_source(value: Any) -> Any:
    return {"paths": value} if isinstance(value, str | list | tuple) else value


Fields = dict[str, Annotated[FieldSource, BeforeValidator(_field_source)]]


class Embedded(Model):
    """A list or keyed map inside a record that becomes rows of a table of its own.

    ``parent_key``: the column of this table that gets the record's id.
    ``paths``: an empty list means that there are no rows. A record without any of them keeps its rows, unless the API
    leaves out empty lists: then no record of a run has an empty one, and some have items.
    ``volatile``: as in a stream.
    """

    paths: Paths
    parent_key: str
    fields: Fields
    volatile: tuple[str, ...] = ()


class Each(Model):
    """One scope per value of these warehouse columns, such as ``challenges.id``.

    ``placeholder``: the value's name in the path. The column of that name in the stream's table gets the value.
    ``moves``: a record can move to another scope, as an idea can move to another challenge.
    ``declared``: the parent's column that holds the number of records in the list.
    ``changed_when``: the parent's columns that change whenever the list changes. Without them every run reads the list.
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
                raise ValueError(f"{name!r} is not a table and a column such as ideas.id")
        return value


class Bound(Model):
    """A parameter that filters a list by time: ``since`` is inclusive, ``until`` exclusive.

    ``column``: the column whose time the API compares.
    ``format``: ``iso`` (2026-01-31T09:00:00Z), ``epoch`` (seconds) or ``date`` (2026-01-31, the beginning of that day
    in the stream's time zone; whole days are requested if the moment is within a day).
    """

    parameter: str
    column: str
    format: Literal["iso", "date", "epoch"] = "iso"


class Account(Model):
    """Where the API names the account that reads. ``role``: if it changes, rows may be hidden."""

    path: UrlPath
    role: Paths


_PAGING_PLACEHOLDERS = {"page", "size", "offset", "cursor"}


def _unfilled(names: set[str]) -> str:
    return f"the path has {{{min(names)}}}, which nothing fills: name it in each.placeholder"


class Stream(Model):
    """One kind of record and how to read its lists. Its name is the name of its table.

    ``records``: the path of the list; ``@body`` for a bare array. A map of records by id is read as a list.
    ``nested``: paths of lists inside a record that hold records of the same kind, to any depth, such as replies inside
    the comments that they answer. They become rows that name the record around them.
    ``reads``: ``list``, or ``one`` if each scope is a single record (a user's profile).
    ``key``: the columns of the composite id: of records without an id, or of all records if ``id`` is among them.
    ``volatile``: columns, and unmapped fields, that change without meaning (signed URLs): stored, but not compared.
    ``cursor``: the column that assigns a record to a day, for backfills.
    ``since``, ``until``: parameters that filter by time. The last ``lookback`` seconds are read again each time. A
    backfill uses only filters on the ``cursor``. Lists that are read since a moment are also read whole now and then.
    ``probe``: for one long list. A nightly run first requests the pages where new records are: with ``total``, those at
    both ends of the list, if the total is another one; with the parameters that put the newest records first, those at
    its head. The list is read only if they do not explain the total, and at the latest after IDEAS_VERIFY_DAYS.
    ``not_found_is_empty``: the API answers 404 or 410 for a list without records, instead of an empty list.
    ``deleted``: paths at which a record that is still listed says that it is deleted: ``is_deleted``, ``deleted_at``.
    ``hidden_by_rights``: records disappear when the account loses rights, so absences are held for an operator.
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
    probe: Literal["total"] | Annotated[dict[str, str | int | bool], Field(min_length=1)] | None = None
    not_found_is_empty: bool = False
    deleted: Paths = ()
    hidden_by_rights: bool = False
    nested: Paths = ()
    paging: Paging
    embedded: dict[str, Embedded] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Stream:
        if not self.each and (unknown := self.placeholders() - _PAGING_PLACEHOLDERS):
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
        if self.reads == "one" and self.not_found_is_empty:
            raise ValueError("a single record that is not found does not exist: remove not_found_is_empty")
        if "id" not in self.fields and not self.key:
            raise ValueError("a record needs an id: map the column id, or name the columns of a composite id in key")
        if self.probe and (self.each or self.since):
            raise ValueError("a probe is for one list without a filter by time: remove probe, or each and since")
        if self.probe and self.paging.style == "none":
            raise ValueError("a list without pages is read by one request: remove probe")
        if self.probe == "total" and self.paging.total is None:
            raise ValueError("a probe of the total needs one: set paging.total, or name the parameters of the probe")
        if "id" in self.key and ("id" not in self.fields or self.reads == "one"):
            raise ValueError("a key with id needs records of a list that have one: map the column id")
        return self

    def placeholders(self) -> set[str]:
        """The names of the placeholders in the path."""
        return {name for _, name, _, _ in string.Formatter().parse(self.path) if name}

    @property
    def listed_by(self) -> str | None:
        """The placeholder whose values identify the stream's lists; None for one list, and for single records."""
        return self.each.placeholder if self.each and self.reads == "list" else None

    def path_of_all(self) -> str:
        """The path without the parent: ``ideas`` for ``challenges/{challenge_id}/ideas``."""
        scope = f"{{{self.each.placeholder}}}" if self.each else ""
        return (self.path.partition(scope)[2].strip("/") if scope else "") or self.path


class Limits(Model):
    """How much load the API gets, and how much one of its answers may cost. Times are in seconds.

    ``attempts`` and ``deadline`` limit one request with all its retries, whichever is reached first.
    ``sweeps``: how often a list is read at most until two sweeps agree.
    ``body_megabytes``, ``header_kilobytes``: the largest body of a response, decompressed, and its largest status line
    and headers.
    ``json_values``: the most values in a body, at any depth.
    ``page_records``: the most records of a page.
    ``pages``: the most pages of a list; a longer list is incomplete.
    """

    requests_per_second: float | None = Field(default=None, gt=0)
    requests_per_hour: int | None = Field(default=None, gt=0)
    concurrency: int = Field(default=8, ge=1, le=64)
    connect_timeout: float = Field(default=10, gt=0)
    read_timeout: float = Field(default=60, gt=0)
    attempts: int = Field(default=6, ge=1)
    deadline: float = Field(default=300, gt=0)
    sweeps: int = Field(default=5, ge=2)
    body_megabytes: int = Field(default=64, ge=1, le=1024)
    json_values: int = Field(default=2_000_000, ge=1000)
    page_records: int = Field(default=100_000, ge=100)
    pages: int = Field(default=100_000, ge=100)
    header_kilobytes: int = Field(default=256, ge=16, le=1024)


class Contract(Model):
    """What one Ideas API looks like.

    ``none_values``: JSON values that mean "none" in every column; a column can have more.
    ``no_times``: days (0001-01-01) and times (1970-01-01 00:00:00) that mean "none" in every column of times, as they
    are written or in UTC. A column can have its own list instead.
    ``not_stored``: names of fields that are kept out of ``_extra`` and of rejected records, at any depth.
    ``error_paths``: a body with a value at one of these paths, and without records, is an error whatever its status.
        Beside records, it says that the list is incomplete.
    ``timezone``: the zone of timestamps without one.
    """

    version: Literal[1]
    hosts: dict[str, Address]
    auth: Auth
    account: Account | None = None
    limits: Limits
    timezone: Zone
    none_values: tuple[Json, ...]
    no_times: NoTimes = ()
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
            if stream.probe and (followers := [s for s in self.streams if self._follows_changes(s, name)]):
                what = f"is wrong: the lists of {', '.join(followers)} are read when a row of {name} changes (see each)"
                yield Mistake(("streams", name, "probe"), what)
            if unknown := stream.placeholders() - self._filled(stream):
                yield Mistake(("streams", name, "path"), f"is wrong: {_unfilled(unknown)}")
        if waiting := self.streams.keys() - self.order():
            yield Mistake(("streams",), f"wait for each other: {', '.join(sorted(waiting))}")

    def _follows_changes(self, stream: str, parent: str) -> bool:
        """Whether changes in the rows of ``parent`` decide which lists of ``stream`` are read."""
        each = self.streams[stream].each
        return parent in self.depends_on(stream) and each is not None and bool(each.changed_when or each.declared)

    def _filled(self, stream: Stream) -> set[str]:
        """The placeholders that have a value: those of paging, the scope, and the rest of a composite scope's key."""
        parents = [self.streams.get(source.removesuffix(".id")) for source in stream.each.of] if stream.each else []
        composite = {column for parent in parents if parent and "id" in parent.key for column in parent.key}
        return (composite - {"id"}) | _PAGING_PLACEHOLDERS | ({stream.each.placeholder} if stream.each else set())

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
