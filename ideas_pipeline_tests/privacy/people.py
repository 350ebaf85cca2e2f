"""Records, lists and contracts for the tests of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.privacy.key import Key
from ideas_pipeline.privacy.redact import People, Redactor
from ideas_pipeline.privacy.suppression import SuppressionList
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

KEY_TEXT = "a key for tests alone"
KEY = Key(KEY_TEXT, None)


def list_in(folder: Path, community: str = COMMUNITY, key: Key = KEY) -> SuppressionList:
    return SuppressionList(community, key, folder / "suppressed.json")


def erased(folder: Path, person: str, *words: str, texts: bool = False) -> SuppressionList:
    """A list with one person on it."""
    people = list_in(folder)
    people.add(person, {KEY.word(word) for word in words}, texts=texts)
    return people


def redactor(people: SuppressionList, contract: Contract | None = None) -> Redactor:
    return Redactor(People.of(contract or contract_with({})), people)


def surrogate(person: str) -> str:
    return KEY.surrogate(COMMUNITY, person)


def record(extra: dict[str, Any] | None = None, **columns: Any) -> Record:
    return Record(columns, extra or {})
