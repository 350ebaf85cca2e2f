"""Why values and records are rejected: a code, which is stored, and the sentence that a reader gets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why a value cannot be typed: the rest of a sentence that begins with its column. No reason quotes the value."""

    NOT_AN_ID = "is not an id: an id is text or a whole number"
    TOO_LONG_AN_ID = "is not an id: it is longer than 1,000 bytes"
    NOT_A_WHOLE_NUMBER = "is not a whole number"
    TOO_LARGE = "is too large"
    NOT_A_NUMBER = "is not a number"
    NOT_FINITE = "is not a finite number"
    NOT_A_BOOLEAN = "is neither true nor false"
    NOT_A_TIME = "is not a time"
    UNKNOWN_FORMAT = "is not a time: its format is unknown, or can be read in more than one way"
    NO_SUCH_DAY = "is not a time: that day or hour does not exist"
    NO_SUCH_ZONE = "is not a time: that zone does not exist"
    UNCLEAR_ZONE = "is not a time: more than one zone may have its zone's name, so the contract must name its timezone"
    NO_UNIT = "is not a time: in no unit is it one between 1995 and 2199, so the contract must name its epoch"
    OUT_OF_RANGE = "is not between the years 1 and 9999"
    REPEATED = "came more than once in its record, with different values"
    TOO_DEEP = "is nested too deeply"
    TOO_MANY_DIGITS = "is a number of too many digits"
    MISSING = "is missing, and is part of the key"

    @property
    def code(self) -> str:
        """The word that is stored."""
        return self.name.lower()


class RecordReason(StrEnum):
    """Why a whole record is rejected, as a sentence."""

    NO_KEY = "a column of its key cannot be used"
    OLDER = "another record of this list has the same key, and is newer"
    UNDATED = "another record of this list has the same key, and no time says which of them is newer"

    @property
    def code(self) -> str:
        """The word that is stored."""
        return self.name.lower()


class Unreadable(ValueError):
    """A value cannot be typed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


_OF_VALUES = {reason.code: reason for reason in Reason}
_OF_RECORDS = {reason.code: reason for reason in RecordReason}


def sentence(code: str | None, key_codes: Mapping[str, str] | None) -> str | None:
    """The sentence for a reader.

    Args:
        code: of a value, why it cannot be typed; of a record, why it is rejected.
        key_codes: of a record without a usable key, by column of the key, why it cannot be used.

    Returns:
        None if the codes are not known: an earlier or later version has stored them.
    """
    if code == RecordReason.NO_KEY.code:
        known = {name: _OF_VALUES.get(of) for name, of in (key_codes or {}).items()}
        return None if None in known.values() or not known else "; ".join(f"{n} {r}" for n, r in known.items())
    return _OF_VALUES.get(code or "") or _OF_RECORDS.get(code or "")
