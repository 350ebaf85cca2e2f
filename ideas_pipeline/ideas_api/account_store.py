"""Interface of an API account's state: its tokens, its request budget and its run lock.

There are two homes: files of one machine (``account_files``), and a row per account in PostgreSQL (the package
``accounts``) for machines that share no disk. This package knows the interface, never SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ideas_pipeline.contract.model import Limits

# How long to wait for the lock of the tokens, in seconds. Longer than a login with all its retries: a process that
# holds the lock for longer hangs.
LONGEST_WAIT = 1800.0


@dataclass(frozen=True)
class Tokens:
    """A token pair.

    Attributes:
        access_token: the token that API calls carry.
        refresh_token: empty if there is none to use.
        expires_at: when to renew the access token, in seconds since 1970; None if unknown.
        issued_to: a fingerprint of the client id and the API's address.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float | None
    issued_to: str


def tokens_from(stored: object) -> Tokens | None:
    """The token pair in a decoded JSON value; None if it is not one."""
    match stored:
        case {
            "access_token": str(access),
            "refresh_token": str(refresh),
            "expires_at": float() | int() | None as expires_at,
            "issued_to": str(issued_to),
        }:
            return Tokens(access, refresh, expires_at, issued_to)
    return None


class TokenStore(Protocol):
    """One token pair. Hold ``lock`` from reading the pair until the new one is written."""

    def read(self) -> Tokens | None:
        """The stored pair; None if there is none. Raises AuthenticationError, Unavailable."""

    def write(self, tokens: Tokens) -> None:
        """Replace the pair. It is stored durably when this returns. Raises AuthenticationError, Unavailable."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep other threads, processes and machines out. Raises AuthenticationError, Unavailable."""


class RequestBudget(Protocol):
    """The contract's rates, shared by all who use the account."""

    def wait(self, longest: float) -> float | None:
        """Reserve one request, and wait for its moment.

        Args:
            longest: the longest acceptable wait, in seconds.

        Returns:
            None if the request may be sent now. Otherwise the seconds until the next free moment, more than
            ``longest``: then nothing was reserved, and this call did not wait.

        Raises:
            ContractError: the budget cannot be kept.
            Unavailable: the budget cannot be reached, or this run has lost the account's run lock.
        """


class AccountStore(Protocol):
    """The state of one account."""

    @property
    def tokens(self) -> TokenStore:
        """The account's tokens."""

    def budget(self, limits: Limits) -> RequestBudget:
        """The account's request budget under the contract's limits."""

    def run_lock(self, what: str, say: Callable[[str], None]) -> AbstractContextManager[int | None]:
        """Hold the account's run lock: other runs wait for it.

        Args:
            what: the name of this run that waiting runs show, such as ``ideas-pipeline sync``. It contains no secret.
            say: gets a sentence at once, and then once per minute, while another run holds the lock.

        Returns:
            A context manager whose value is the lock's fencing number: higher than that of every earlier holder. None
            if the lock cannot be taken from a living holder, so that no write has to be checked.

        Raises:
            Unavailable: another run held the lock until the timeout.
            AuthenticationError: the lock cannot be used.
        """

    def holder(self) -> str | None:
        """The run that holds the lock: ``ideas-pipeline sync (process 123, since …)``; None if none does."""


class AccountHome(Protocol):
    """Where the state of accounts is kept."""

    def account(self, fingerprint: str) -> AccountStore:
        """The state of the account with this fingerprint (see ``Credentials.fingerprint``). Reads nothing yet."""
