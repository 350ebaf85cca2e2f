"""Token pair of one account in its row, encrypted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import local

import sqlalchemy as sa

from ideas_pipeline import private_file
from ideas_pipeline.accounts.database import ACCOUNTS, AccountDatabase, close_quietly
from ideas_pipeline.accounts.keys import TokenKeys
from ideas_pipeline.ideas_api.account_store import LONGEST_WAIT, Tokens, tokens_from
from ideas_pipeline.logs import logger
from ideas_pipeline.warehouse.database import advisory_key

_log = logger(__name__)


class TokenRow:
    """The tokens of one account. See ``TokenStore``.

    Args:
        database: where the row is.
        keys: encrypt and decrypt the tokens.
        file: the token file of this machine. Its tokens are taken over if the row has none.
    """

    def __init__(self, database: AccountDatabase, keys: TokenKeys, file: Path) -> None:
        self._database = database
        self._keys = keys
        self._file = file
        self._mine = ACCOUNTS.c.account == database.account
        # The connection that holds the lock, in the thread that took it.
        self._locked = local()

    def read(self) -> Tokens | None:
        """The stored pair; None if there is none. Raises AuthenticationError, Unavailable."""
        stored = self._stored()
        if self._file.exists():
            stored = self._take_over(stored)
        if stored is None:
            return None
        tokens, is_current = self._keys.decrypted(stored, self._database.account)
        if not is_current:  # unless the row has changed meanwhile
            again = sa.update(ACCOUNTS).where(self._mine, ACCOUNTS.c.tokens == stored)
            self._execute(again.values(tokens=self._keys.encrypted(tokens)))
        return tokens

    def write(self, tokens: Tokens) -> None:
        """Replace the pair, by the session that holds the lock: if that was ended, nothing is written."""
        self._execute(sa.update(ACCOUNTS).where(self._mine).values(tokens=self._keys.encrypted(tokens)))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other threads, processes and machines out. Raises AuthenticationError, Unavailable."""
        connection = self._database.own_connection()
        key = advisory_key("tokens", self._database.account)
        try:
            with self._database.errors():
                # A commit is on the server's disk when it returns: a spent refresh token must not come back.
                settings = {"synchronous_commit": "on", "lock_timeout": f"{LONGEST_WAIT:.0f}s"}
                for name, value in settings.items():
                    connection.execute(sa.select(sa.func.set_config(name, value, False)))
                connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
            self._locked.connection = connection
            yield
        finally:
            self._locked.connection = None
            close_quietly(connection)  # the server frees the lock of a session that ends

    def _stored(self) -> str | None:
        row = self._execute(sa.select(ACCOUNTS.c.tokens).where(self._mine))
        return row.tokens if row else None

    def _execute(self, statement: sa.Executable) -> sa.Row[tuple[str | None]] | None:
        connection: sa.Connection | None = getattr(self._locked, "connection", None)
        if connection is None:
            return self._database.execute(statement)
        with self._database.errors():
            result = connection.execute(statement)
            return result.first() if result.returns_rows else None

    def _take_over(self, stored: str | None) -> str | None:
        """Move the tokens of the file into the row if that is empty, and remove the file. Returns what is stored then.

        So the login of a machine that kept its state in files goes on.
        """
        try:
            tokens = tokens_from(json.loads(private_file.read(self._file)))
        except (OSError, ValueError, RecursionError):
            return stored
        if tokens is None or tokens.issued_to != self._database.account:
            return stored
        if stored is None:
            empty = sa.update(ACCOUNTS).where(self._mine, ACCOUNTS.c.tokens.is_(None))
            self._execute(empty.values(tokens=self._keys.encrypted(tokens)))
            stored = self._stored()
            _log.info("The tokens in %s were moved to the account store.", self._file)
        # Its refresh token will have been used, and must not be used again.
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s is not used any more, and could not be removed (%s).", self._file, error.strerror)
        return stored
