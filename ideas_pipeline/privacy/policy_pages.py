"""Hold archived pages to the policy: JSON as it was received, of which a contract describes a part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.contract.model import Contract, Fields, Stream
from ideas_pipeline.contract.types import Paths
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.envelopes import unwrapped
from ideas_pipeline.ideas_api.field_map import MISSING, present, records_in
from ideas_pipeline.ideas_api.nesting import nested_items
from ideas_pipeline.ideas_api.page_reader import is_error_body
from ideas_pipeline.privacy.page_json import document_of, with_document
from ideas_pipeline.privacy.policy import KNOWN_BY_TEXT, fixed_ids, free_keys, has_texts, names_its_person
from ideas_pipeline.privacy.unmapped import VALUE, Cleaner, Described, Kind, Place
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES

Json = Any

_STRICTNESS: tuple[Kind, ...] = ("person_id", "key", None, "free_text", "profile", "name", "email")


class PolicyPages:
    """Holds pages to the policy of ``cleaner``, so that a replay loads from them what a sync would have loaded."""

    def __init__(self, contract: Contract, cleaner: Cleaner) -> None:
        self._contract = contract
        self._cleaner = cleaner

    def page(self, page: ArchivedPage) -> ArchivedPage | None:
        """The page as it may be kept: the same object if nothing changes, None if it cannot be kept."""
        if not page.body or not self._cleaner.may_change(page.body):
            return page
        try:
            document = document_of(page)
            if not self._can_be_filtered(page, document):
                return None
            description = _Description(self._contract, self._cleaner, page.stream)
            described = description.of(document)
            # What stands beside the records can repeat any text of them.
            place = Place(texts=self._cleaner.policy.free_text != "keep")
            kept: Json
            if isinstance(document, dict):
                kept = self._cleaner.fields(document, place, described)
            elif isinstance(document, list):
                kept = self._cleaner.items(document, place, described)
            elif left := self._cleaner.items([document], place, described):
                [kept] = left
            else:
                return None
            unchanged = kept is document and not description.wrote_keys
            return page if unchanged else with_document(page, kept)
        except (RecursionError, ValueError):
            return None  # nobody knows what it holds

    def _can_be_filtered(self, page: ArchivedPage, document: Json) -> bool:
        """Whether the contract says where the personal data of a page is.

        It does not for an error message, nor for a page without records. Only addresses are recognised everywhere.
        """
        spec = self._contract.streams.get(page.stream)
        if spec is None:
            return self._cleaner.only_addresses
        if is_error_body(self._contract, spec, document, page.status):
            return False
        if self._cleaner.only_addresses:
            return True
        try:
            records_in(document, spec.records)
        except UnexpectedResponse:
            headers = CaseInsensitiveDict(page.headers)
            return pagination.total_of(spec.paging.total, document, headers) == 0
        return True


class _Description:
    """What the contract says of the maps and lists of one page, by their ``id()``."""

    def __init__(self, contract: Contract, cleaner: Cleaner, stream: str) -> None:
        self._contract = contract
        self._cleaner = cleaner
        self._stream = stream
        self._found: defaultdict[int, Described] = defaultdict(Described)
        self.wrote_keys = False

    def of(self, document: Json) -> dict[int, Described]:
        """Describe a page. Texts that are an id are replaced by their hash on the way."""
        spec = self._contract.streams.get(self._stream)
        if spec is None:
            return self._found
        paging = spec.paging
        totals = paging.total.body if paging.total else ()
        links = (*getattr(paging, "next", ()), *getattr(paging, "cursor", ()))
        for path in (*spec.records, *totals, *links, *self._contract.error_paths):
            self._mark(document, path, None)
        try:
            records = records_in(document, spec.records)
        except UnexpectedResponse:
            records = []
        listed = present(document, spec.records)
        if isinstance(listed, dict) and records and records[0][0] is not None:
            self._described(listed).fields |= dict.fromkeys(listed)  # a map of records by id
        self._unwrapped(listed)
        for _, record in records:
            if isinstance(record, dict):
                self._record(spec, record)
        return self._found

    def _record(self, spec: Stream, record: dict[str, Json]) -> None:
        self._row(self._stream, record, spec.fields)
        for table, embedded in spec.embedded.items():
            for path in embedded.paths:
                self._parts(table, record, path, embedded.fields)
        id_paths = _plain(spec.fields["id"].paths) if "id" in spec.fields else ()
        for path, items in nested_items(record, spec.nested, id_paths):
            self._mark(record, path, None)
            listed = self._unwrapped(present(record, (path,)))
            if isinstance(listed, dict):
                self._described(listed).fields |= dict.fromkeys(listed)
            for item in items:
                self._record(spec, item)

    def _row(self, table: str, row: dict[str, Json], fields: Fields) -> None:
        policy = self._cleaner.policy
        self._keep_keys(table, row, fields)
        for column, source in fields.items():
            for path in source.paths:
                self._mark(row, path, _kind(table, column))
        texts = policy.free_text != "keep" and has_texts(table)
        self._described(row).place = Place(person=names_its_person(table), texts=texts)

    def _keep_keys(self, table: str, row: dict[str, Json], fields: Fields) -> None:
        """Write the hash of a text that is an id where the contract looks for the id first."""
        if self._cleaner.policy.free_text == "keep":
            return
        texts = [
            value
            for c in TABLES[table].columns
            if pii(c) == "free_text" and c.name in fields and (value := present(row, _plain(fields[c.name].paths)))
        ]
        for column in KNOWN_BY_TEXT.get(table, ()):
            paths = _plain(fields[column].paths) if column in fields else ()
            value = present(row, paths)
            if value is not MISSING and value in texts and "." not in paths[0]:
                row[paths[0]] = self._cleaner.text_hash(value)
                self.wrote_keys = True

    def _parts(self, table: str, record: dict[str, Json], path: str, fields: Fields) -> None:
        of_values = _strictest(_kind(table, c) for c, source in fields.items() if VALUE in source.paths)
        stated = present(record, (path,))
        self._mark(record, path, None if isinstance(stated, dict | list) else of_values)
        stated = self._unwrapped(stated)
        items: Iterable[Json] = ()
        if isinstance(stated, list):
            items = stated
            self._described(stated).fields[VALUE] = of_values
        elif isinstance(stated, dict):
            first = next(iter(fields.values())).paths if fields else ()
            by_key = all(isinstance(item, dict) for item in stated.values())
            if not by_key and present(stated, _plain(first)) is not MISSING:
                items = [stated]  # it is the only one
            else:
                items = stated.values()
                self._described(stated).fields |= dict.fromkeys(stated) if by_key else {VALUE: of_values}
        for item in items:
            if isinstance(item, dict):
                self._row(table, item, fields)

    def _unwrapped(self, stated: Json) -> Json:
        """The list inside an envelope. What else the envelope holds says nothing of people."""
        items = unwrapped(stated)
        if items is not stated:
            self._described(stated).fields |= dict.fromkeys(stated)
            for edge in stated.get("edges", ()):
                if isinstance(edge, dict):
                    self._described(edge).fields |= dict.fromkeys(edge)
        return items

    def _mark(self, at: Json, path: str, kind: Kind) -> None:
        """Note what is at ``path``, and the maps on the way to it."""
        if path.startswith("@"):
            return
        *way, last = path.split(".")
        for step in way:
            if not isinstance(at, dict):
                return
            self._described(at).fields.setdefault(step, None)
            at = at.get(step)
        if isinstance(at, dict):
            fields = self._described(at).fields
            fields[last] = _strictest([kind, fields[last]]) if last in fields else kind

    def _described(self, value: Json) -> Described:
        return self._found[id(value)]


@cache
def _kind(table: str, column: str) -> Kind:
    """What a column is."""
    if column in free_keys(table):
        return "key"
    if column in fixed_ids(table):
        return "person_id"
    return pii(TABLES[table].c[column])


def _strictest(kinds: Iterable[Kind]) -> Kind:
    return max(kinds, key=_STRICTNESS.index, default=None)


def _plain(paths: Paths) -> Paths:
    return tuple(path for path in paths if not path.startswith("@"))
