"""The secret that makes a person's id, address or name into something that tells nobody who it was."""

from __future__ import annotations

import hmac
import re
import secrets
from functools import cached_property, lru_cache
from pathlib import Path

import orjson

from ideas_pipeline import private_file
from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.text import clean_text

_SURROGATE = "erased-"
HEX = 32  # 128 bits: no two people are ever alike
_HASH = re.compile(f"[0-9a-f]{{{HEX}}}")


class Key:
    """``given`` (IDEAS_PII_KEY), or else what is in ``file``, which is made for its owner alone when first needed.

    The same key makes the same of the same; without it, nothing that it made can be traced back, or guessed.
    """

    def __init__(self, given: str | None, file: Path | None) -> None:
        self._given = given
        self._file = file
        # A vote says the same few thousand ids again and again.
        self._made = lru_cache(maxsize=1 << 16)(self._make)

    def surrogate(self, community: str, person: str) -> str:
        """What stands for an erased person wherever the id stood."""
        return person if is_surrogate(person) else _SURROGATE + self._made("person", community, person)

    def word(self, text: str) -> str:
        """What stands for a name or an address, however it is spaced and capitalised: 32 hex characters."""
        return self._made("word", " ".join(text.split()).casefold())

    @cached_property
    def fingerprint(self) -> str:
        """By which it can be told whether two lists were made with one key."""
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
                " Set IDEAS_PII_KEY, or IDEAS_STATE_DIR to a folder that this user may write to."
            ) from None


def is_hash(text: str) -> bool:
    """Whether ``text`` looks like what ``Key.word`` makes."""
    return _HASH.fullmatch(text) is not None


def is_surrogate(text: str) -> bool:
    """Whether an id stands for an erased person already."""
    return text.startswith(_SURROGATE) and len(text) == len(_SURROGATE) + HEX


def _made_once(file: Path) -> bytes:
    """What is in ``file``. Of processes that make it at the same moment, one wins, and all use what it wrote."""
    if not file.exists():
        private_file.make_folder(file.parent)
        private_file.create_once(file, secrets.token_hex(32).encode())
    found = file.read_bytes().strip()
    if not found:
        raise PrivacyError(f"The key file {file} is empty. Restore it from a backup.")
    return found
