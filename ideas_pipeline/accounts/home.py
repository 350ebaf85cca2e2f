"""One row per account in PostgreSQL: the home of account states for machines that share no disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ideas_pipeline.accounts.budget import BudgetRow
from ideas_pipeline.accounts.database import AccountDatabase
from ideas_pipeline.accounts.keys import TokenKeys
from ideas_pipeline.accounts.run_lock import RunLockRow
from ideas_pipeline.accounts.tokens import TokenRow
from ideas_pipeline.contract.model import Limits

# Seconds without a heartbeat after which the holder of a run lock counts as frozen.
PATIENCE = 120.0


class DatabaseHome:
    """The table ``_accounts`` of a PostgreSQL database.

    Args:
        url: the database's URL.
        keys: Fernet keys for the tokens: the first encrypts, all decrypt.
        token_file: the token file of this machine, whose tokens are taken over if the account's row has none.
        patience: seconds without a heartbeat after which the holder of a run lock counts as frozen.
    """

    def __init__(self, url: str, keys: Sequence[str], token_file: Path, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._keys = TokenKeys(keys)
        self._token_file = token_file
        self._patience = patience

    def account(self, fingerprint: str) -> AccountRow:
        """The row of the account. Raises SettingsError if the URL cannot be used."""
        database = AccountDatabase(self._url, fingerprint)
        return AccountRow(database, TokenRow(database, self._keys, self._token_file), self._patience)


class AccountRow:
    """The row of one account. See ``AccountStore``."""

    def __init__(self, database: AccountDatabase, tokens: TokenRow, patience: float) -> None:
        self._database = database
        self._run_lock = RunLockRow(database, patience)
        self.tokens = tokens

    def budget(self, limits: Limits) -> BudgetRow:
        return BudgetRow(self._database, limits, self._run_lock.check)

    def run_lock(self, what: str, say: Callable[[str], None]) -> AbstractContextManager[int | None]:
        return self._run_lock.hold(what, say)

    def holder(self) -> str | None:
        return self._run_lock.holder()
