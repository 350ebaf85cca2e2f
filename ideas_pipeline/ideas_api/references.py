"""Read the names of rows in records as the rows' own ids: ``/v2/users/8``, ``gid://app/User/8`` and ``users:8`` are 8.

API Platform, Django REST framework, Rails and OData name rows by such links. A link is read as an id only if it calls
the row what the table is called, and if that table's own ids are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cached_property

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json

# The tables whose rows columns name. A test compares this with the tables.
REFERS = {
    "author_id": "users",
    "user_id": "users",
    "challenge_id": "challenges",
    "idea_id": "ideas",
    "parent_comment_id": "comments",
    "stage_id": "challenge_stages",
}
# What APIs call the rows of a table in a link, besides the last word of the stream's path; without a plural s.
_CALLED = {
    "users": "user member person people account profile author creator voter employee participant",
    "challenges": "challenge campaign contest board forum project",
    "ideas": "idea post submission suggestion proposal topic entry entrie",
    "comments": "comment reply replie response message",
    "challenge_stages": "stage phase milestone step",
}
_ODATA = re.compile(r"(?:.*/)?(?P<word>\w+)\('?(?P<id>[^'()/]+)'?\)")
_PARTS = re.compile(r"[/:#]+")
_MARK = re.compile(r"[/:#(\s]")
_ID = re.compile(r"[\w.~%@=+-]+")

Settle = Callable[[dict[str, Json], "KnownRows"], None]


class KnownRows:
    """What is known of the rows that records of a stream name.

    Args:
        parents: the ids of the parents.
        plain: the tables that have rows, whose ids are not links themselves.
    """

    def __init__(self, parents: Collection[str] = frozenset(), plain: Collection[str] = ()) -> None:
        self._parents = frozenset(parents)
        self.plain = frozenset(plain)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._parents

    def parent(self, named: str, called: Collection[str]) -> str | None:
        """The one parent whose id differs from ``named`` in no more than a link around it, case, blanks or zeros.

        Args:
            named: what a record calls its parent.
            called: the words for a parent in links.
        """
        if named in self._parents:
            return named
        own = own_id(named, called)
        return own if own in self._parents else self._by_letters.get(_letters(own))

    @cached_property
    def _by_letters(self) -> dict[str, str]:
        found: dict[str, str] = {}
        several = set()
        for id_ in self._parents:
            if found.setdefault(letters := _letters(id_), id_) != id_:
                several.add(letters)
        return {letters: id_ for letters, id_ in found.items() if letters not in several}


NO_ROWS = KnownRows()


def own_id(value: str, called: Collection[str]) -> str:
    """The id in a link to a row, or in a text such as ``users:8``; without blanks around it.

    Args:
        value: what a record calls the row.
        called: the words for such a row in links. With any other word, the value stays as it is.
    """
    text = value.strip()
    if found := _ODATA.fullmatch(text):
        word, own = found["word"], found["id"]
    else:
        parts = _PARTS.split(text.rstrip("/"))
        if len(parts) < 2:
            return text
        word, own = parts[-2:]
    return own if word.lower().removesuffix("s") in called and _ID.fullmatch(own) else text


def words_for(contract: Contract, table: str) -> frozenset[str]:
    """The words for a row of a table in links, in lower case and without a plural s."""
    stream = contract.streams.get(table)
    own = [part for part in stream.path.split("/") if part and "{" not in part][-1:] if stream else []
    return frozenset([*_CALLED.get(table, "").split(), *(word.lower().removesuffix("s") for word in own)])


def plain_references(contract: Contract, stream: str, columns: Collection[str]) -> Settle:
    """A function that replaces, in place, the links in a record's ``columns`` by ids.

    Its arguments are the record by column, and the rows that are known.
    """
    tables = {name: REFERS[name] for name in columns if name in REFERS}
    refers = [(name, table, words_for(contract, table)) for name, table in tables.items()]

    def settle(record: dict[str, Json], known: KnownRows) -> None:
        for name, table, called in refers:
            value = record.get(name)
            if value.__class__ is not str or value.isalnum() or not _MARK.search(value):
                continue
            own = own_id(value, called)
            # Of the table itself, the record's own id shows what ids look like.
            example = str(record.get("id", "")) if table == stream else ""
            if own != value and (table in known.plain or (example and own_id(example, called) == example)):
                record[name] = own

    return settle


def _letters(id_: str) -> str:
    return id_.strip().casefold().lstrip("0")
