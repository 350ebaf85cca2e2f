"""Redact rows: erased people are removed from records that just came and from rows that are stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import orjson
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.composite_ids import split_id
from ideas_pipeline.ideas_api.field_map import MISSING, Record
from ideas_pipeline.privacy import personal
from ideas_pipeline.privacy.key import is_surrogate
from ideas_pipeline.privacy.policy import ABOUT_A_PERSON, KNOWN_BY_TEXT, drop_words, has_texts, names_its_person
from ideas_pipeline.privacy.suppression import SuppressionList
from ideas_pipeline.tables.columns import own_columns, parent_of, pii
from ideas_pipeline.tables.community import TABLES, means_banned

Json = Any

# The columns that an erased person's own rows keep: what counts need, and nothing that identifies anybody.
KEPT = {
    "users": {"id", "idea_count", "comment_count", "vote_count"},
    "user_answers": {"user_id", "question_id", "label"},
}

# A short id such as 42 is a person's only if the field's name says so; a longer one is hardly anything else.
_SHORT = 6
# Beside an erased person's id, such a field is about the person, and not about another one (an approver, an editor).
_ABOUT_WHO = re.compile(
    r"(author|user|owner|creator|member|person|people|voter|commenter|assignee|moderator|participant|contributor"
    r"|follower|liker|mention|winner|expert|reviewer|submitter|sponsor|account|profile)s?(_.*)?"
    r"|(display|full|first|last|given|family|nick|user|real)_?name|name|avatar(_.*)?|picture|photo|bio",
    re.IGNORECASE,
)
# What stands between the parts of a link, an address or another reference.
_DELIMITERS = re.compile(r"""[/?&=#:;,|<>(){}\[\]"']+|^@""")
_MAILBOX = re.compile(r"\s*([^<>]*?)\s*<([^<>\s]+)>\s*")
_HAS_SPACE = re.compile(r"\s")
_SAYS_NOTHING = {"id", "_id", "uid", "uuid", "pk", "key"}


@dataclass(frozen=True, slots=True)
class People:
    """Where the rows of a contract's tables name people.

    Attributes:
        pointers: by table, the columns that hold a person's id (then the value is ``users``) or a composite id that
            contains one (then the value is the table whose id it is).
        made: by table, the positions of a person's id in a composite id.
        scopes: the streams whose scopes are named by such an id, with the table whose id it is.
    """

    pointers: dict[str, dict[str, str]] = field(default_factory=dict)
    made: dict[str, tuple[int, ...]] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, contract: Contract) -> People:
        made = {}
        for name, stream in contract.streams.items():
            at = [n for n, c in enumerate(stream.key) if c in TABLES[name].c and pii(TABLES[name].c[c]) == "person_id"]
            if at:
                made[name] = tuple(at)
        pointers = {
            table.name: {str(c.name): target for c in table.columns if (target := _target(table, c, made))}
            for table in TABLES.values()
        }
        scopes = {}
        for name, stream in contract.streams.items():
            for source in stream.each.of if stream.each else ():
                table, column = source.split(".")
                if target := pointers[table].get(column):
                    scopes[name] = target
        return cls(pointers, made, scopes)

    def replaced(self, of: str, id_: str, other: Callable[[str], str | None]) -> str | None:
        """An id of the table ``of`` with other ids of people, also within a composite id.

        Args:
            of: the table; ``users`` if the whole id is a person's.
            id_: the id.
            other: the other id of a person; the same id or None if it stays.

        Returns:
            None if it stays.
        """
        if of == "users":
            return new if (new := other(id_)) != id_ else None
        parts = split_id(id_)
        replaced = [other(p) or p if at in self.made[of] and isinstance(p, str) else p for at, p in enumerate(parts)]
        return orjson.dumps(replaced).decode() if replaced != parts else None


def _target(table: sa.Table, column: sa.Column[Any], made: dict[str, tuple[int, ...]]) -> str | None:
    if pii(column) == "person_id":
        return "users"
    if column.name == "id" and table.name in made:
        return table.name
    named = column.info["parent"] or column.info["references"]
    return named if named in made else None


def is_about_who(table: str, name: str) -> bool:
    """Whether an unmapped field of a row of ``table`` describes the person whom the row names."""
    return names_its_person(table) or _ABOUT_WHO.fullmatch(name) is not None


def author_column(table: str) -> str | None:
    """The column of ``table`` that says who wrote its texts."""
    people = (str(c.name) for c in TABLES[table].columns if pii(c) == "person_id")
    return next(people, None) if has_texts(table) else None


def text_columns(table: str) -> list[str]:
    return [c.name for c in TABLES[table].columns if pii(c) == "free_text"]


class Redactor:
    """Removes the people on the suppression list from rows. ``people``: where the rows name people."""

    def __init__(self, people: People, erased: SuppressionList) -> None:
        self.people = people
        self.erased = erased

    def record(self, table: str, record: Record) -> None:
        """Redact a record and its embedded rows, in place."""
        self.row(table, record.columns, record.extra)
        author = author_column(table)
        hidden = author is not None and self._hides_texts(record.columns.get(author))
        for name, parts in record.embedded.items():
            for part in parts:
                self.row(name, part.columns, part.extra, without_texts=hidden)

    def row(self, table: str, columns: dict[str, Json], extra: dict[str, Json], *, without_texts: bool = False) -> None:
        """Redact a row's columns and extra fields, in place.

        Args:
            table: the table of the row.
            columns: its columns.
            extra: its unmapped fields.
            without_texts: whether its texts are erased, too.
        """
        who = None
        for name, target in self.people.pointers[table].items():
            if columns.get(name) is not None:
                columns[name] = self.id(target, columns[name])
                if target == "users" and is_surrogate(str(columns[name])):
                    who = columns[name]
        if who is not None and table in ABOUT_A_PERSON:
            self._erase_person(table, columns, extra)
            return
        if extra:
            beside = set() if who is None else {name for name in extra if is_about_who(table, name)}
            cleaned = self.json({name: value for name, value in extra.items() if name not in beside})
            extra.clear()
            extra.update(cleaned)
        if without_texts or (who is not None and author_column(table) and self._hides_texts(who)):
            self._erase_texts(table, columns)
            drop_words(extra)  # they can repeat the texts

    def id(self, of: str, value: Json) -> Json:
        """An id of the table ``of``, with a surrogate in place of an erased person's id, also within a composite id."""
        text = id_text(value)
        return value if text is None else self.people.replaced(of, text, self.erased.surrogate) or value

    def json(self, value: Json, read: Mapping[int, Set[str]] = MappingProxyType({})) -> Json:
        """Redact a map of fields that no contract describes.

        Ids of erased people become surrogates if they are certainly ids of people. Names and addresses are removed,
        with all other values of the map that holds such an id or name.

        Args:
            value: the map.
            read: the maps (by their ``id()``) that a contract describes, each with the names that stay as they are.
                The outermost map counts as described, too.
        """
        return self._left(value, "", {id(value): set(), **read})

    def _left(self, value: Json, name: str, read: Mapping[int, Set[str]]) -> Json:
        if isinstance(value, dict):
            return self._left_of_map(value, name, read)
        if isinstance(value, list):
            return [kept for item in value if (kept := self._left(item, name, read)) is not MISSING]
        if isinstance(value, str) and (self.erased.is_word(value.removeprefix("@")) or self._refers_to_someone(value)):
            return MISSING
        return self._someone(value, name) or value

    def _refers_to_someone(self, text: str) -> bool:
        """Whether a text without spaces, such as a link, contains an id or an address; or is ``Name <address>``."""
        if mailbox := _MAILBOX.fullmatch(text):
            return any(map(self.erased.is_word, mailbox.groups()))
        if _HAS_SPACE.search(text):
            return False
        parts = _DELIMITERS.split(unquote(text))
        for before, part in pairwise(["", *parts]):
            # The ids of other things are numbers, too.
            is_id = len(part) >= _SHORT and (not part.isdecimal() or _ABOUT_WHO.fullmatch(before))
            if (is_id and len(parts) > 1 and self._someone(part, before)) or (
                "@" in part and self.erased.is_word(part)
            ):
                return True
        return False

    def _left_of_map(self, value: dict[str, Json], name: str, read: Mapping[int, Set[str]]) -> Json:
        if id(value) not in read:
            ids = {key: who for key, item in value.items() if (who := self._someone(item, _named(name, key, item)))}
            if ids or any(isinstance(item, str) and self.erased.is_word(item) for item in value.values()):
                return ids or MISSING
        described = read.get(id(value), frozenset())
        left = {}
        for key, item in value.items():
            as_it_is = key in described
            if not as_it_is and self.erased.is_word(key):
                continue
            whole = as_it_is and not isinstance(item, dict | list)
            kept = item if whole else self._left(item, _named(name, key, item), read)
            if kept is not MISSING:
                left[key if as_it_is else self._someone(key, name) or key] = kept
        return left

    def _someone(self, value: Json, name: str) -> str | None:
        """The surrogate, if ``value`` is the id of an erased person."""
        text = id_text(value)
        if text is None or len(text) > 255 or (len(text) < _SHORT and not personal.is_id_of_who(name)):
            return None
        return self.erased.surrogate(text)

    def _hides_texts(self, who: Json) -> bool:
        return isinstance(who, str) and self.erased.hides_texts(who)

    def _erase_person(self, table: str, columns: dict[str, Json], extra: dict[str, Json]) -> None:
        status = columns.get("status")
        columns.update({c.name: None for c in own_columns(TABLES[table]) if c.name not in KEPT[table]})
        if table == "users":
            # Counts leave out what banned people did, so the row must still say that they are banned.
            columns["status"] = status if means_banned(status) else "erased"
        extra.clear()

    def _erase_texts(self, table: str, columns: dict[str, Json]) -> None:
        for name in text_columns(table):
            value = columns.get(name)
            for key in KNOWN_BY_TEXT.get(table, ()):
                if value is not None and columns.get(key) == value:
                    columns[key] = self.erased.key.word(str(value))
            columns[name] = None


def id_text(value: Json) -> str | None:
    """An id as the text that the warehouse holds; None if ``value`` cannot be an id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _named(above: str, name: str, value: Json) -> str:
    """The name of a value within a map: the map's own name if the value's name means nothing, such as ``id``.

    A single value whose name is a plural is a count of people, ``followers: 42``, and has none.
    """
    if personal.names_many(name) and not isinstance(value, dict | list):
        return ""
    return above if name.lower() in _SAYS_NOTHING or name.isdecimal() else name


def parts_with_texts() -> dict[str, str]:
    """Embedded tables whose texts the author of the parent row wrote, with the parent's table."""
    parents = {t.name: (parent_of(t) or ("", ""))[1] for t in TABLES.values() if text_columns(t.name)}
    return {
        name: above for name, above in parents.items() if above and not author_column(name) and author_column(above)
    }
