"""Find the fields by which records say that they are deleted."""

from __future__ import annotations

from collections.abc import Sequence

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.deleted import says_deleted
from ideas_pipeline.probe.shapes import NOTHING, kind

_TIMES = {"deletedat", "deletedon", "deletedtime", "deleteddate", "datedeleted", "deletiondate"}
_FLAGS = {"deleted", "isdeleted", "softdeleted"}
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
        if _is_flag(name, values) and not all(says_deleted(record.get(name), contract.no_times) for record in maps):
            found.append(name)
    return found


def _is_flag(name: str, values: Sequence[Json]) -> bool:
    word = name.replace("_", "").replace("-", "").lower()
    if word in _TIMES:
        return all(kind(value) in _TIME_OR_NONE | {"number", "number as text"} for value in values)
    return word in _FLAGS and all(_is_yes_or_no(value) or kind(value) in _TIME_OR_NONE for value in values)


def _is_yes_or_no(value: Json) -> bool:
    return value in (0, 1) or (isinstance(value, str) and value.strip().lower() in _FLAG_TEXTS)
