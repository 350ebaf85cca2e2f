"""Changes of accounts that matter to the suppression list: other ids, new names, accounts that came back or went."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter

import sqlalchemy as sa

from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy.key import Key, is_surrogate
from ideas_pipeline.privacy.policy import ABOUT_A_PERSON
from ideas_pipeline.privacy.redact import id_text
from ideas_pipeline.privacy.suppression import SuppressionList
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import Transaction

_HASH = re.compile("[0-9a-f]{32}")
_SHORTEST = 3  # nobody is found by a shorter name


def words_of(key: Key, values: Iterable[object]) -> set[str]:
    """Names and addresses as the suppression list holds them: hashed. A value that is a hash stays as it is."""
    texts = [v for v in values if isinstance(v, str) and len(v.strip()) >= _SHORTEST]
    return {key.word(text) for text in texts} | {text for text in texts if _HASH.fullmatch(text)}


def note_account_changes(erased: SuppressionList, page: Page) -> None:
    """Update the suppression list from a page of ``users``.

    An account with the address of a person who asked for erasure, under another id, is the same person: it is listed,
    too. An account that was erased because the source had deleted it, and that is there again, is taken off the list.
    A person who had an account deleted and opened another one is not kept out under the new id.
    """
    for record in page.records:
        person = id_text(record.columns.get("id"))
        if person is None or is_surrogate(person):
            continue
        email, name = record.columns.get("email"), record.columns.get("display_name")
        words = words_of(erased.key, [email, name])
        surrogate = erased.surrogate(person)
        entry = erased.entry_of(surrogate) if surrogate else None
        if entry is None:
            same = erased.asked_as(email) if isinstance(email, str) and erased.is_word(email) else None
            if same:
                erased.add(person, words, texts=same.texts)
        elif entry.because != "asked" and page.received_at > entry.at.timestamp():
            erased.merge([replace(entry, because="there again", at=datetime.now(UTC), words=frozenset())])
        elif not words <= entry.words:
            erased.merge([replace(entry, words=entry.words | words)])


def deleted_accounts(tx: Transaction) -> list[tuple[str, str | None, str | None]]:
    """Id, name and e-mail address (as stored) of people who are deleted from ``users`` and named by no live row.

    The source keeps the posts of a deleted account and removes the name from them. A person who left the community is
    still named by these posts, and stays. A person who left and never posted looks like a deleted account.
    """
    users = TABLES["users"]
    named = [
        sa.exists().where(table.c.community == users.c.community, column == users.c.id, table.c._deleted_at.is_(None))
        for table in TABLES.values()
        if table.name not in ABOUT_A_PERSON
        for column in table.columns
        if pii(column) == "person_id"
    ]
    query = sa.select(users.c.id, users.c.display_name, users.c.email).where(
        tx.owns(users), users.c._deleted_at.is_not(None), ~sa.or_(*named)
    )
    return sorted((tuple(row) for row in tx.execute(query) if not is_surrogate(row.id)), key=itemgetter(0))
