"""The policy for personal data: which columns are kept, hashed or dropped before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.privacy.unmapped import Cleaner, Place, says_no_words
from ideas_pipeline.setting_types import Choice, Policy
from ideas_pipeline.tables.columns import kind, own_keys, parent_of, pii
from ideas_pipeline.tables.community import TABLES

# Tables whose rows describe a person: their unmapped fields are a profile, too.
ABOUT_A_PERSON = ("users", "user_answers")
# A file without an id is identified by its name, so its key is a text, too. Other keys equal a text only by chance.
KNOWN_BY_TEXT = {"idea_attachments": ("attachment_id",)}


def apply(cleaner: Cleaner, table: str, records: Sequence[Record]) -> None:
    """Apply the policy to the columns and unmapped fields of records, in place.

    Only texts can be hashed: a time or a number of a class that is to be hashed is dropped. A column without a class
    is changed if its value is an address by its shape, or a map that holds personal data.

    Args:
        cleaner: the policy, and how it is applied to JSON.
        table: the table of the records.
        records: the records.
    """
    if cleaner.keeps_all:
        return
    for record in records:
        columns(cleaner, table, record.columns)
        kept = extra(cleaner, table, record.extra)
        if kept is not record.extra:
            record.extra.clear()
            record.extra.update(kept)


def columns(cleaner: Cleaner, table: str, values: dict[str, Any]) -> None:
    """Apply the policy to the columns of a row, in place."""
    for name, hashed in columns_not_kept(cleaner.policy, table):
        value = values.get(name)
        if value is None:
            continue
        values[name] = cleaner.text_hash(value) if hashed else None
        for part in KNOWN_BY_TEXT.get(table, ()):
            if values.get(part) == value:
                values[part] = cleaner.text_hash(value)
    fixed = fixed_ids(table)
    for name, value in values.items():
        if value.__class__ is str:
            if name in fixed or cleaner.stays(value):
                continue
        elif value.__class__ not in (dict, list):
            continue
        kept = cleaner.column(value)
        if kept is None and name in free_keys(table):
            kept = cleaner.text_hash(value)  # a key cannot be null
        values[name] = kept


def extra(cleaner: Cleaner, table: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The unmapped fields of a row as they may be stored: the same object if nothing changes."""
    if not fields:
        return fields
    policy = cleaner.policy
    if table in ABOUT_A_PERSON and policy.profile != "keep":
        return {}
    if policy.free_text != "keep" and has_texts(table):
        fields = {name: value for name, value in fields.items() if says_no_words(value)}
    return cleaner.fields(fields, Place(person=names_its_person(table)))


def drop_words(extra: dict[str, Any]) -> None:
    """Remove from unmapped fields, in place, what can hold a text. Numbers stay."""
    for name in [name for name, value in extra.items() if not says_no_words(value)]:
        del extra[name]


@cache
def has_texts(table: str) -> bool:
    """Whether a row of ``table`` has a column with what somebody wrote. Its unmapped fields can repeat it."""
    return any(pii(c) == "free_text" for c in TABLES[table].columns)


@cache
def names_its_person(table: str) -> bool:
    """Whether the unmapped fields of a row of ``table`` describe the person whose row it is."""
    return any(c.primary_key and pii(c) == "person_id" for c in TABLES[table].columns)


@cache
def fixed_ids(table: str) -> frozenset[str]:
    """Columns whose texts are ids, which stay as they are."""
    ids = {c.name for c in TABLES[table].columns if kind(c) == "id"}
    return frozenset(ids - free_keys(table))


@cache
def free_keys(table: str) -> frozenset[str]:
    """Key columns that can be a text which somebody wrote: a tag, the name of a question."""
    above = parent_of(TABLES[table])
    return frozenset(
        c.name
        for c in own_keys(TABLES[table])
        if c.name != "id" and pii(c) is None and c.name != (above[0] if above else None)
    )


@cache
def columns_not_kept(policy: Policy, table: str) -> tuple[tuple[str, bool], ...]:
    """The columns of ``table`` that ``policy`` does not keep, each with whether it is hashed."""
    chosen = {c.name: _choice(policy, c) for c in TABLES[table].columns}
    return tuple((str(name), choice == "hash") for name, choice in chosen.items() if choice != "keep")


def _choice(policy: Policy, column: sa.Column[Any]) -> Choice:
    of = pii(column)
    if of is None or of == "person_id":
        return "keep"
    choice: Choice = getattr(policy, of)
    return "drop" if choice == "hash" and kind(column) not in ("id", "text") else choice
