"""Redact archived pages: erased people are removed from the JSON as it was received."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.contract.model import Contract, Embedded, Fields
from ideas_pipeline.contract.types import Paths
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.envelopes import unwrapped
from ideas_pipeline.ideas_api.field_map import MISSING, present, records_in
from ideas_pipeline.ideas_api.nesting import nested_items
from ideas_pipeline.privacy.key import is_surrogate
from ideas_pipeline.privacy.page_json import document_of, with_document
from ideas_pipeline.privacy.policy import ABOUT_A_PERSON, KNOWN_BY_TEXT
from ideas_pipeline.privacy.redact import KEPT, Redactor, author_column, is_about_who, text_columns
from ideas_pipeline.privacy.unmapped import says_no_words
from ideas_pipeline.tables.community import means_banned

Json = Any


class ArchivedPages:
    """Redacts archived pages. A mapped field keeps its value unless it names an erased person; the rest of a page is
    redacted as unmapped fields are."""

    def __init__(self, contract: Contract, redactor: Redactor) -> None:
        self._contract = contract
        self._redactor = redactor

    def page(self, page: ArchivedPage) -> ArchivedPage | None:
        """The page without erased people: the same object if nothing changes, None if it cannot be kept."""
        people = self._redactor.people
        if page.stream in people.scopes and self._redactor.id(people.scopes[page.stream], page.scope) != page.scope:
            return None  # the scope, and its address, are the person's own
        if not page.body:
            return page
        try:
            document, before = document_of(page), document_of(page)
        except ValueError:
            return None  # it cannot be read, so nobody knows whether it names the person
        document = self._redacted(page.stream, document)
        if document is MISSING:
            return None
        return page if document == before else with_document(page, document)

    def _redacted(self, stream: str, document: Json) -> Json:
        spec = self._contract.streams.get(stream)
        read: dict[int, set[str]] = {}
        if isinstance(document, dict):
            read[id(document)] = set()
        if spec:
            for path in spec.records:
                _follow(document, path, read)
            try:
                records = records_in(document, spec.records)
            except UnexpectedResponse:
                records = []
            self._rekey(stream, present(document, spec.records), spec.fields, read)
            for _, record in records:
                if isinstance(record, dict):
                    self._record(stream, record, read)
        return self._redactor.json(document, read)

    def _record(self, stream: str, record: dict[str, Json], read: dict[int, set[str]]) -> None:
        spec = self._contract.streams[stream]
        lists = [*spec.nested, *(path for embedded in spec.embedded.values() for path in embedded.paths)]
        who = self._row(stream, record, spec.fields, read, lists)
        if who is not None and stream in ABOUT_A_PERSON:
            kept = {path: present(record, (path,)) for c in KEPT[stream] for path in _paths(spec.fields, c)}
            kept |= {p: s for p in _paths(spec.fields, "status") if means_banned(s := present(record, (p,)))}
            record.clear()
            for path, value in kept.items():
                if value is not MISSING:
                    _put(record, path, value)
            return
        hides = who is not None and author_column(stream) is not None and self._redactor.erased.hides_texts(who)
        if hides:
            self._drop_texts(stream, record, spec.fields, lists)
        for table, embedded in spec.embedded.items():
            for path in embedded.paths:
                read[id(record)].add(path.split(".")[0])
                self._parts(table, embedded, record, path, read, without_texts=hides)
        for path, items in nested_items(record, spec.nested, _paths(spec.fields, "id")):
            _follow(record, path, read)
            for item in items:
                self._record(stream, item, read)

    def _parts(
        self,
        table: str,
        embedded: Embedded,
        record: dict[str, Json],
        path: str,
        read: dict[int, set[str]],
        *,
        without_texts: bool,
    ) -> None:
        _follow(record, path, read)
        stated = present(record, (path,))
        if without_texts and text_columns(table) and stated is not MISSING:
            _put(record, path, stated := self._without_texts(table, embedded.fields, stated))
        stated = unwrapped(stated)
        plain = {c for c, s in embedded.fields.items() if "@value" in s.paths} & self._redactor.people.pointers[
            table
        ].keys()
        if isinstance(stated, list) and plain:
            stated[:] = [v if isinstance(v, dict | list) else self._redactor.id("users", v) for v in stated]
        self._rekey(table, stated, embedded.fields, read)
        items = stated if isinstance(stated, list) else list(stated.values()) if isinstance(stated, dict) else []
        for item in items:
            if isinstance(item, dict):
                self._row(table, item, embedded.fields, read)

    def _row(
        self,
        table: str,
        row: dict[str, Json],
        fields: Fields,
        read: dict[int, set[str]],
        elsewhere: Collection[str] = (),
    ) -> str | None:
        """Replace ids of erased people with surrogates. Returns the surrogate that the row names, if any.

        ``elsewhere``: paths of embedded lists.
        """
        paths = [path for source in fields.values() for path in source.paths]
        read[id(row)] = {path for path in paths if "." not in path}
        who = None
        for column, target in self._redactor.people.pointers[table].items():
            for path in _paths(fields, column):
                value = present(row, (path,))
                if value is MISSING or value is None:
                    continue
                new = self._redactor.id(target, value)
                if new != value:
                    _put(row, path, new)
                if target == "users" and is_surrogate(str(new)):
                    who = str(new)
        if who is not None:
            mapped = {path.split(".")[0] for path in [*paths, *elsewhere]}
            for name in [name for name in row if name not in mapped and is_about_who(table, name)]:
                del row[name]
        return who

    def _without_texts(self, table: str, fields: Fields, stated: Json) -> Json:
        """An embedded list without its texts. Its items keep their places, or a replay would see them as absent."""
        first = next(iter(fields.values())).paths if fields else ()
        naming = tuple(path for path in first if not path.startswith("@"))
        stated = unwrapped(stated)
        if isinstance(stated, dict) and not all(isinstance(item, dict) for item in stated.values()):
            if present(stated, naming) is not MISSING:
                stated = [stated]  # it is the only one
            else:
                return {key: item if says_no_words(item) else "" for key, item in stated.items()}
        if isinstance(stated, str):
            return ""
        items = stated if isinstance(stated, list) else list(stated.values()) if isinstance(stated, dict) else []
        for item in items:
            if isinstance(item, dict):
                self._drop_texts(table, item, fields)
        return ["" if isinstance(item, str) else item for item in stated] if isinstance(stated, list) else stated

    def _drop_texts(self, table: str, row: dict[str, Json], fields: Fields, elsewhere: Collection[str] = ()) -> None:
        """Remove the texts of a row, and its unmapped fields, which can repeat them."""
        texts = {
            path: value
            for c in text_columns(table)
            for path in _paths(fields, c)
            if _is(value := present(row, (path,)))
        }
        keys = {column: present(row, _paths(fields, column)) for column in KNOWN_BY_TEXT.get(table, ())}
        for path in texts:
            _put(row, path, None)
        for column, value in keys.items():
            if _is(value) and value in texts.values():
                _put(row, _paths(fields, column)[0], self._redactor.erased.key.word(str(value)))
        _keep_mapped(row, {p for source in fields.values() for p in source.paths} | set(elsewhere))

    def _rekey(self, table: str, stated: Json, fields: Fields, read: dict[int, set[str]]) -> None:
        """In a map by id, replace the ids of erased people."""
        column = "id" if "id" in fields else next((c for c, s in fields.items() if "@key" in s.paths), None)
        target = self._redactor.people.pointers[table].get(column or "")
        if not isinstance(stated, dict) or target is None:
            return
        renamed = {self._redactor.id(target, key): value for key, value in stated.items()}
        stated.clear()
        stated.update(renamed)
        read[id(stated)] = set(renamed)


def _paths(fields: Fields, column: str) -> Paths:
    return tuple(p for p in fields[column].paths if not p.startswith("@")) if column in fields else ()


def _follow(value: Json, path: str, read: dict[int, set[str]]) -> None:
    """Mark the maps on the way to ``path`` as described by the contract: they are not copies of a person."""
    for step in () if path.startswith("@") else path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, dict):
            read.setdefault(id(value), set())


def _put(row: dict[str, Json], path: str, value: Json) -> None:
    *way, last = path.split(".")
    for step in way:
        row = row.setdefault(step, {})
    row[last] = value


def _is(value: Json) -> bool:
    return value is not MISSING and value is not None


def _keep_mapped(row: dict[str, Json], paths: Collection[str]) -> None:
    """Remove all fields that are at none of ``paths``, unless they cannot hold a text."""
    for name, value in list(row.items()):
        below = {path.partition(".")[2] for path in paths if path.split(".")[0] == name}
        if below and "" not in below and isinstance(value, dict):
            _keep_mapped(value, below)
        elif not below and not says_no_words(value):
            del row[name]
