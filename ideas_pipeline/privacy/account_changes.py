"""What people's own records tell of those who were erased: other ids, new names, and that an account is there again."""

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
from ideas_pipeline.privacy.suppression import ErasedPeople
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import Transaction

_HASH = re.compile("[0-9a-f]{32}")
_SHORTEST = 3  # what is shorter is no name by which anyone could be found


def words_of(key: Key, values: Iterable[object]) -> set[str]:
    """Names and addresses as the list holds them; what is stored as a hash is one already."""
    texts = [v for v in values if isinstance(v, str) and len(v.strip()) >= _SHORTEST]
    return {key.word(text) for text in texts} | {text for text in texts if _HASH.fullmatch(text)}


def learn(erased: ErasedPeople, page: Page) -> None:
    """Adds what a page of ``users`` shows to the list.

    The address of somebody who asked to be erased, under another id, is the same person, who stays erased. An account
    that was erased because it was deleted at the source, and is seen there since, was not deleted: it is kept out no
    more. Whoever had an account deleted and has made another since is there under that one.
    """
    for record in page.records:
        person = id_text(record.columns.get("id"))
        if person is None or is_surrogate(person):
            continue
        email, name = record.columns.get("email"), record.columns.get("display_name")
        words = words_of(erased.key, [email, name])
        surrogate = erased.surrogate(person)
        entry = erased.list_of(surrogate) if surrogate else None
        if entry is None:
            same = erased.asked_as(email) if isinstance(email, str) and erased.is_word(email) else None
            if same:
                erased.add(person, words, texts=same.texts)
        elif entry.because != "asked" and page.received_at > entry.at.timestamp():
            erased.merge([replace(entry, because="there again", at=datetime.now(UTC), words=frozenset())])
        elif not words <= entry.words:
            erased.merge([replace(entry, words=entry.words | words)])


def deleted_accounts(tx: Transaction) -> list[tuple[str, str | None, str | None]]:
    """Id, name and e-mail address (as stored) of people who are proven absent from ``users``, and whom nothing that is
    there names any more.

    A deleted account's posts stay, and the source takes the name off them; who merely left a community is still named
    by what they posted. (Who left and never posted looks the same as who was deleted: they are found here, too.)
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
