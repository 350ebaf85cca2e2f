"""Find the fields by which records say that they are deleted."""

from __future__ import annotations

from collections.abc import Sequence

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.deleted import says_deleted
from ideas_pipeline.probe.shapes import NOTHING, kind

_TIMES = {"deletedat", "deletedon", "deletedtime", "deleteddate", "datedeleted", "deletiondate"}
_FLAGS = {"deleted", "isdeleted", "softdeleted"}
# What fields are called that say in a word what became of a record, and the words for a deletion. A record that a
# moderator removed is still there.
_STATES = {"status", "state", "recordstatus", "recordstate", "poststatus", "lifecycle", "lifecyclestate"}
DELETED_WORDS = ("deleted", "trash", "trashed")
REMOVED = "removed"
_LONGEST_WORD = 30
_FLAG_TEXTS = {"true", "false", "yes", "no", "y", "n", "0", "1"}
_TIME_OR_NONE = {"time as text", "time without zone", *NOTHING}


def deletion_flags(contract: Contract, records: Sequence[Json]) -> list[str]:
    """The fields by which records say that they are deleted. Without any record that exists, none is believed.

    Args:
        contract: says which times mean "none".
        records: the records of one stream.
    """
    maps = [record for record in records if isinstance(record, dict)]
    found = []
    for name in dict.fromkeys(name for record in maps for name in record):
        values = [record[name] for record in maps if name in record]
        if (_is_flag(name, values) or _is_state(name, values)) and not all(
            says_deleted(record.get(name), contract.no_times) for record in maps
        ):
            found.append(name)
    return found


def may_flag(name: str) -> bool:
    """Whether a field of this name says whether a record is deleted, or may say so in a word."""
    return _word(name) in _TIMES | _FLAGS | _STATES


def _word(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _is_state(name: str, values: Sequence[Json]) -> bool:
    """Whether a field of states calls records deleted, and none removed: that can be a moderator's word."""
    words = {str(value).strip().casefold() for value in values if isinstance(value, str) and len(value) < _LONGEST_WORD}
    return _word(name) in _STATES and not words.isdisjoint(DELETED_WORDS) and REMOVED not in words


def _is_flag(name: str, values: Sequence[Json]) -> bool:
    word = _word(name)
    if word in _TIMES:
        return all(kind(value) in _TIME_OR_NONE | {"number", "number as text"} for value in values)
    return word in _FLAGS and all(_is_yes_or_no(value) or kind(value) in _TIME_OR_NONE for value in values)


def _is_yes_or_no(value: Json) -> bool:
    return value in (0, 1) or (isinstance(value, str) and value.strip().lower() in _FLAG_TEXTS)
