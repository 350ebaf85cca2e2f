"""The key that turns a person's id, address or name into a hash that nobody can trace back without the key."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from functools import cached_property, lru_cache
from pathlib import Path

import orjson

from ideas_pipeline import private_file
from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.text import clean_text

_SURROGATE = "erased-"
HEX = 32  # 128 bits: no two people get the same
_SHORTEST = 16  # as for IDEAS_PII_KEY
_HASH = re.compile(f"[0-9a-f]{{{HEX}}}")


class Key:
    """A secret for keyed hashes. The same key turns the same text into the same hash.

    Args:
        given: IDEAS_PII_KEY, if it is set.
        file: holds the key otherwise; created when it is first needed, readable by its owner alone.
    """

    def __init__(self, given: str | None, file: Path | None) -> None:
        self._given = given
        self._file = file
        # Votes repeat the same few thousand ids.
        self._made = lru_cache(maxsize=1 << 16)(self._make)

    def surrogate(self, community: str, person: str) -> str:
        """What replaces the id of an erased person everywhere."""
        return person if is_surrogate(person) else _SURROGATE + self._made("person", community, person)

    def word(self, text: str) -> str:
        """The hash of a name or an address: 32 hex characters, whatever the spacing and the case."""
        return self._made("word", " ".join(text.split()).casefold())

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the key, to see whether two lists were made with the same one."""
        return self._make("key")

    def _make(self, *parts: str) -> str:
        return hmac.digest(self._secret, orjson.dumps([clean_text(p) for p in parts]), "sha256").hex()[:HEX]

    @cached_property
    def _secret(self) -> bytes:
        if self._given:
            return self._given.encode()
        if self._file is None:
            raise PrivacyError("There is no key to hash with. Set IDEAS_PII_KEY.")
        try:
            return _made_once(self._file)
        except OSError as error:
            raise PrivacyError(
                f"The key file {self._file} cannot be used: {error.strerror or 'unknown reason'}."
                " Correct that, or set IDEAS_PII_KEY, or IDEAS_STATE_DIR to a folder that this user may write to."
            ) from None


def is_hash(text: str) -> bool:
    """Whether ``text`` looks like a result of ``Key.word``."""
    return _HASH.fullmatch(text) is not None


def is_surrogate(text: str) -> bool:
    """Whether an id is the surrogate of an erased person."""
    return text.startswith(_SURROGATE) and len(text) == len(_SURROGATE) + HEX


def _made_once(file: Path) -> bytes:
    """The content of ``file``. If processes create it at the same moment, one wins, and all use its key."""
    if not os.path.lexists(file):
        private_file.make_folder(file.parent)
        private_file.create_once(file, secrets.token_hex(32).encode())
    found = private_file.read(file).strip()
    if len(found) < _SHORTEST:
        state = "too short for a key" if found else "empty"
        raise PrivacyError(f"The key file {file} is {state}: it is damaged. Restore it from a backup.")
    return found
