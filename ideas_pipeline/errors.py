"""Every error that the pipeline raises on purpose, in one tree per part.

    IdeasApiError                  the Ideas API, or the contract that describes it
    ├── ContractError              the contract file is wrong, or the API does not match it
    │   ├── UnusableContract       the contract file has mistakes
    │   └── UnexpectedResponse     the shape of a response is not the one in the contract
    ├── AuthenticationError        no usable token can be obtained: a person must act
    │   └── TokenRefused           the API accepts no token at all, not even a new one
    ├── AccessDenied               403, or another refusal that a new token does not change: the account may not read it
    ├── NotFound                   404 or 410: it was deleted, or is hidden from this account
    ├── RequestRefused             any other 4xx: the API rejects the request that the contract builds
    ├── Unavailable                no usable response after every retry
    │   ├── LoginPage              a web page, or a redirect to a login, in place of JSON
    │   ├── RateLimited            a rate limit or a spent budget, for longer than the deadline allows
    │   └── RunLockLost            another run has taken the account over from this one, which was frozen
    └── NotArchived                the archive cannot be read, or does not hold what was asked for
    WarehouseError                 the database failed or refused a statement
    └── WarehouseMisconfigured     a person must correct something before the warehouse can be used
        └── PrivacyError           the suppression list or the PII key cannot be read
    SettingsError                  a variable is missing, misspelled or has an invalid value
    EnvFileError                   ``.env`` cannot be parsed
    ArchiveInUse                   a run holds the archive file that must be rewritten
    NotDelivered                   an alert could not be sent, or a report not be copied

Messages are complete sentences: what happened, with the value seen, then what to do. No message contains a secret, a
token, an auth code, a query string, a response body or a person's data.
"""

from __future__ import annotations

import copy
from typing import Self


class IdeasApiError(Exception):
    """Something went wrong with the Ideas API.

    Args:
        message: what happened, without a final full stop.
        stream: the stream that was being read, if known.
        scope: the scope that was being read, if known.
        status: the HTTP status, if there was a response.
        hint: what to do about it, as a sentence.

    Attributes:
        requests: how many requests were sent before the error was raised.
    """

    def __init__(
        self,
        message: str,
        *,
        stream: str | None = None,
        scope: str | None = None,
        status: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.stream = stream
        self.scope = scope
        self.status = status
        self.hint = hint
        self.requests = 1

    def at(self, stream: str, scope: str) -> Self:
        """Return a copy with the place of the error, unless it has one: ``raise error.at(stream, scope)``."""
        return self._with(stream=self.stream or stream, scope=self.scope or scope)

    def after(self, requests: int) -> Self:
        """Return a copy with the number of requests that were sent before the error was raised."""
        return self._with(requests=requests)

    def _with(self, **attributes: object) -> Self:
        other = copy.copy(self)
        vars(other).update(attributes)
        return other

    def __str__(self) -> str:
        where = f"{self.stream} {self.scope}".strip() + ": " if self.stream else ""
        return f"{where}{self._sentences}"

    @property
    def reason(self) -> str:
        """The error as the reason why its stream is not complete: with the scope, but without the stream."""
        where = f"list {self.scope}: " if self.scope else ""
        return f"{where}{self._sentences}"

    @property
    def _sentences(self) -> str:
        status = f" (HTTP {self.status})" if self.status else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.message}{status}.{hint}"


class ContractError(IdeasApiError):
    """The contract file is wrong, or the API does not match it."""


class UnusableContract(ContractError):
    """The contract file has mistakes. ``problems``: the message, line by line."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UnexpectedResponse(ContractError):
    """A response whose shape is not the one that the contract describes."""


class AuthenticationError(IdeasApiError):
    """No usable token can be obtained, and another attempt will not help."""


class TokenRefused(AuthenticationError):
    """The API refuses a new access token, and has accepted none so far."""


class AccessDenied(IdeasApiError):
    """The account may not read this: 403, or another refusal that a new token does not change."""


# The statuses of NotFound.
NOT_FOUND = frozenset({404, 410})


class NotFound(IdeasApiError):
    """404 or 410: it does not exist, or this account may not know that it does."""


class RequestRefused(IdeasApiError):
    """A 4xx that no retry changes."""


class Unavailable(IdeasApiError):
    """Connection errors, timeouts, 5xx or broken bodies, after every retry."""


class LoginPage(Unavailable):
    """A web page, or a redirect to a login, in place of JSON: the token has expired, or the API is in maintenance."""


class RateLimited(Unavailable):
    """The API, or the configured budget, requires a longer pause than the deadline allows.

    Args:
        message: what happened, without a final full stop.
        retry_after: seconds until another attempt makes sense; None if unknown.
        status: the HTTP status, if there was a response.
        certain: False if only a header speaks of a rate limit, which can also accompany a refusal of rights.
        hint: what to do about it, as a sentence.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        certain: bool = True,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, status=status, hint=hint)
        self.retry_after = retry_after
        self.certain = certain


class RunLockLost(Unavailable):
    """Another run has taken the API account over, because this one gave no sign of life for too long."""


class NotArchived(IdeasApiError):
    """The archive cannot be read, or does not hold what was asked for."""


class WarehouseError(Exception):
    """The database failed or refused a statement. The message contains no password and no row values."""


class WarehouseMisconfigured(WarehouseError):
    """The warehouse cannot be used until a person corrects its address or its state."""


class PrivacyError(WarehouseMisconfigured):
    """The suppression list or the PII key cannot be read, so nothing may be read or written until that is corrected.

    The message names no person and no address.
    """


def is_retryable(error: BaseException) -> bool:
    """Whether the same run, started again later, can succeed: False if a person must correct something first.

    Unknown errors count as retryable: a second attempt costs less than a night without data.
    """
    if isinstance(error, IdeasApiError):
        return isinstance(error, Unavailable)
    return not isinstance(error, WarehouseMisconfigured | SettingsError)


class SettingsError(Exception):
    """One sentence per problem: which variable, what is wrong with it, what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class EnvFileError(Exception):
    """``.env`` cannot be parsed: one sentence per line that is wrong. The message contains no value."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ArchiveInUse(Exception):
    """A run is writing to the archive. The message names the file and says what to do."""


class NotDelivered(Exception):
    """An alert could not be sent, or a report not be copied.

    The message contains no password and no address of a person.
    """
