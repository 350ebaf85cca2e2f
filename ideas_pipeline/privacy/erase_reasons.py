"""Erase people from sentences of the bookkeeping tables that name the lists of a run."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from ideas_pipeline.privacy.redact import Redactor
from ideas_pipeline.privacy.stored_rows import rewrite_rows
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS, SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.warehouse.database import Transaction

_SENTENCES = {
    SYNC_RUNS: ("reason",),
    SYNC_STREAMS: ("reason",),
    SYNC_SCOPES: ("reason",),
    SCOPES: ("contradiction",),
    ABSENCES: ("held_because", "contradiction"),
}
# An id ends before one of these, or at the end. It can contain them, too, so that several ends are tried.
_ENDS = re.compile(r"(?=[\s:;,.()])|\Z")
_LONGEST_ID = 1_000


def erase_reasons(tx: Transaction, redactor: Redactor) -> dict[str, int]:
    """Replace ids of erased people in sentences, if a stream's lists are named by them. Call it before rows change.

    A sentence names a list as ``users 42: …`` or ``list 42``, and in the path of a request: ``/users/42``. A row's own
    list is known from its scope.

    Returns:
        Number of changed rows, by table.
    """
    if not redactor.people.scopes:
        return {}
    changed = {}
    for table, columns in _SENTENCES.items():
        named = sa.or_(*(table.c[column].is_not(None) for column in columns))

        def erased(row: dict[str, Any], columns: tuple[str, ...] = columns) -> dict[str, Any]:
            own = row.get("scope") if row.get("stream") in redactor.people.scopes else None
            return row | {name: row[name] and _without_people(row[name], own, redactor) for name in columns}

        changed[table.name] = rewrite_rows(tx, table, erased, named)
    return changed


def _without_people(sentence: str, own: str | None, redactor: Redactor) -> str:
    streams = "|".join(map(re.escape, [*redactor.people.scopes, "list"]))
    found = {own: new} if own and (new := _surrogate(own, redactor)) else {}
    for mention in re.finditer(rf"\b(?:{streams}) ", sentence):
        start = mention.end()
        ends = [end.start() for end in _ENDS.finditer(sentence, start, start + _LONGEST_ID)]
        for end in reversed(ends):
            id_ = sentence[start:end]
            if new := _surrogate(id_, redactor):
                found[id_] = new
                break
    for id_, new in found.items():
        left, path = new.replace("\\", r"\\"), re.escape(quote(id_, safe=""))
        sentence = re.sub(rf"\b({streams}) {re.escape(id_)}(?!\w)", rf"\1 {left}", sentence)
        sentence = re.sub(rf"/{path}(?![\w%-])", f"/{quote(new, safe='')}", sentence)
    return sentence


def _surrogate(scope: str, redactor: Redactor) -> str | None:
    """The scope without the person that it names; None if it names no erased person."""
    for target in set(redactor.people.scopes.values()):
        if (left := redactor.id(target, scope)) != scope:
            return str(left)
    return None
