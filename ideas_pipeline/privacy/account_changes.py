"""Changes of accounts that matter to the suppression list: other ids, new names, accounts that came back or went."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import sqlalchemy as sa

from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy.key import Key, is_surrogate
from ideas_pipeline.privacy.policy import ABOUT_A_PERSON
from ideas_pipeline.privacy.redact import id_text
from ideas_pipeline.privacy.suppression import Suppressed, SuppressionList, forms
from ideas_pipeline.tables.bookkeeping import SCOPES, SYNC_SCOPES
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction

_HASH = re.compile("[0-9a-f]{32}")
_SHORTEST = 3  # nobody is found by a shorter name

# An erasure cannot be undone: a second complete sweep, this much later, has to miss the account as well.
_BETWEEN_WITNESSES = timedelta(days=1)


def words_of(key: Key, values: Iterable[object]) -> set[str]:
    """Names and addresses as the suppression list holds them: hashed. A value that is a hash stays as it is."""
    texts = [v for v in values if isinstance(v, str) and len(v.strip()) >= _SHORTEST]
    return {key.word(form) for text in texts for form in forms(text)} | {
        text for text in texts if _HASH.fullmatch(text)
    }


def stored_words(tx: Transaction, key: Key, person: str) -> set[str]:
    """The name and address of a person that the warehouse has, as the suppression list holds them."""
    users = TABLES["users"]
    query = sa.select(users.c.display_name, users.c.email).where(tx.owns(users), users.c.id == person)
    return words_of(key, (value for row in tx.execute(query) for value in row))


def named_since(tx: Transaction, erased: SuppressionList, people: Iterable[str]) -> list[Suppressed]:
    """New entries for erased people whose accounts were loaded later, with the names and addresses from these.

    A run can load a page that it read before the erasure. Until then, nothing says how others' records name the person.
    """
    entries = []
    for person in people:
        entry = erased.entry_of(erased.key.surrogate(erased.community, person))
        words = stored_words(tx, erased.key, person)
        if entry and not words <= entry.words:
            entries.append(replace(entry, at=datetime.now(UTC), words=entry.words | words))
    return entries


def note_account_changes(erased: SuppressionList, page: Page) -> dict[str, str]:
    """Update the suppression list from a page of ``users``.

    An account with the address of a person who asked for erasure, under another id, is the same person: it is listed,
    too. An account that was erased because the source had deleted it, and that is there again, is taken off the list.
    One that the source lists as deleted is not there again.
    A person who had an account deleted and opened another one is not kept out under the new id.

    Returns:
        The ids of the people on the page who were taken off the list, now or earlier, by surrogate.
    """
    back: dict[str, str] = {}
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
        elif entry.because != "asked" and not record.deleted and page.received_at > entry.at.timestamp():
            erased.merge([replace(entry, because="there again", at=datetime.now(UTC), words=frozenset())])
        elif not words <= entry.words:
            erased.merge([replace(entry, words=entry.words | words)])
        made = erased.key.surrogate(erased.community, person)
        if erased.is_back(made):
            back[made] = person
    return back


def deleted_accounts(tx: Transaction) -> list[tuple[str, str | None, str | None]]:
    """Id, name and e-mail address (as stored) of people whose accounts were deleted at the source for certain.

    Two signs are needed. First, no live row names the person: the source keeps the posts of a deleted account and
    removes the name from them. A person who left the community is still named by these posts, and stays. A person who
    left and never posted looks like a deleted account. Second, the account was absent from complete sweeps of two runs
    at least a day apart, or the API answered 404 or 410 for it by its id.
    """
    users = TABLES["users"]
    swept_at = tx.scalar(
        sa.select(SCOPES.c.completed_at).where(tx.owns(SCOPES), SCOPES.c.stream == "users", SCOPES.c.scope == "")
    )
    witnessed: sa.ColumnElement[bool] = sa.exists().where(
        tx.owns(SYNC_SCOPES),
        SYNC_SCOPES.c.stream == "users",
        SYNC_SCOPES.c.scope == users.c.id,
        SYNC_SCOPES.c.verdict == "not_found",
    )
    if swept_at:
        witnessed = sa.or_(witnessed, users.c._deleted_at <= utc(swept_at) - _BETWEEN_WITNESSES)
    named = [
        sa.exists().where(table.c.community == users.c.community, column == users.c.id, table.c._deleted_at.is_(None))
        for table in TABLES.values()
        if table.name not in ABOUT_A_PERSON
        for column in table.columns
        if pii(column) == "person_id"
    ]
    query = sa.select(users.c.id, users.c.display_name, users.c.email).where(
        tx.owns(users), users.c._deleted_at.is_not(None), witnessed, ~sa.or_(*named)
    )
    return sorted((tuple(row) for row in tx.execute(query) if not is_surrogate(row.id)), key=itemgetter(0))
