"""Recognise records that are listed although they are deleted: ``is_deleted: true``, ``deleted_at: "2026-01-31"``."""

from __future__ import annotations

from collections.abc import Container

from ideas_pipeline.contract.types import Json

_YES = {"true", "t", "yes", "y", "on", "deleted", "removed", "trash", "trashed"}

# Where maps have their time: those of PHP, Microsoft Graph, MongoDB, protobuf, Firestore, Parse and ServiceNow.
_TIMES_IN_MAPS = ("date", "dateTime", "$date", "$numberLong", "seconds", "_seconds", "iso", "value")


def says_deleted(value: Json, no_times: Container[str]) -> bool:
    """Whether a flag, or the time of a deletion, says that its record is deleted.

    A text without digits has to say it in a word that is known: ``published`` in a field of states does not.

    Args:
        value: the value as received; null if there is none.
        no_times: the days and times that mean "none".
    """
    if isinstance(value, str):
        return _text_says_so(value.strip(), no_times)
    if isinstance(value, int | float):
        return value > 0
    if isinstance(value, dict):
        times = [value[name] for name in _TIMES_IN_MAPS if name in value]
        return says_deleted(times[0], no_times) if times else bool(value)
    return isinstance(value, list) and bool(value)


def _text_says_so(text: str, no_times: Container[str]) -> bool:
    if not any(map(str.isdigit, text)):
        return text.casefold() in _YES
    try:
        return float(text) > 0
    except ValueError:
        # Years before 1, as PHP writes the zero date of MySQL: -0001-11-30.
        return not text.startswith("-") and text[:10] not in no_times and text[:19].replace("T", " ") not in no_times
