"""Encryption of the tokens in the database, with Fernet keys (https://cryptography.io/en/latest/fernet/)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.ideas_api.account_store import Tokens, tokens_from


class TokenKeys:
    """Keys for a token pair. The first one encrypts, and all of them decrypt.

    Args:
        keys: Fernet keys, the newest first.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._first = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def encrypted(self, tokens: Tokens) -> str:
        """The pair as it is stored."""
        return self._first.encrypt(json.dumps(asdict(tokens)).encode()).decode()

    def decrypted(self, stored: str, account: str) -> tuple[Tokens, bool]:
        """The stored pair, and whether the first key can decrypt it.

        Args:
            stored: what ``encrypted`` returned.
            account: the account's fingerprint, for the message.

        Raises:
            AuthenticationError: none of the keys is the one that encrypted it.
        """
        try:
            tokens = tokens_from(json.loads(self._all.decrypt(stored.encode())))
        except (InvalidToken, ValueError):
            tokens = None
        if tokens is None:
            raise AuthenticationError(
                "the stored tokens cannot be decrypted: IDEAS_TOKEN_KEY has no key that encrypted them",
                hint="Add that key to IDEAS_TOKEN_KEY, after a comma. If it is lost, set tokens to NULL in the table"
                f" _accounts, in the row whose account begins with {account[:16]}, and the next run logs in.",
            )
        return tokens, self._is_first(stored)

    def _is_first(self, stored: str) -> bool:
        try:
            self._first.decrypt(stored.encode())
        except InvalidToken:
            return False
        return True
