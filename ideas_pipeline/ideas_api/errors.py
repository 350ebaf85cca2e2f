"""Everything that can go wrong with the Ideas API, in words.

    IdeasApiError
    ├── ContractError            the contract file is wrong, or the API is not as the contract says
    │   └── UnexpectedResponse   an answer whose shape the contract does not describe
    ├── AuthenticationError      no usable token can be had: a person must act
    ├── AccessDenied             403: the account may not read this
    ├── NotFound                 404 or 410: it is gone, or hidden from this account
    ├── RequestRefused           any other 4xx: the API does not accept the request as the contract builds it
    └── Unavailable              the API did not answer properly, however often it was asked
        └── RateLimited          429, or a spent budget, longer than we may wait

An error carries the stream and scope that were being read, the HTTP status, and a hint that says what to do.
None ever carries a secret, a token, a code, a query string or a response body.
"""

from __future__ import annotations


class IdeasApiError(Exception):
    """What happened (``message``), where (``stream``, ``scope``, ``status``) and what to do (``hint``)."""

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
        self.requests = 1  # how many were sent before this was said; the transport knows better

    def at(self, stream: str, scope: str) -> IdeasApiError:
        """The same error, knowing where it happened. Returns itself, for ``raise error.at(…)``."""
        self.stream = self.stream or stream
        self.scope = self.scope or scope
        return self

    def __str__(self) -> str:
        where = f"{self.stream} {self.scope}".strip() + ": " if self.stream else ""
        status = f" (HTTP {self.status})" if self.status else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{where}{self.message}{status}.{hint}"


class ContractError(IdeasApiError):
    """The contract file cannot be used as it stands."""


class UnexpectedResponse(ContractError):
    """The API answered properly, but not in the shape that the contract describes."""


class AuthenticationError(IdeasApiError):
    """No usable token can be had; asking again will not help."""


class AccessDenied(IdeasApiError):
    """403: this account may not read this."""


class NotFound(IdeasApiError):
    """404 or 410: it does not exist, or this account may not know that it does."""


class RequestRefused(IdeasApiError):
    """A 4xx that no retry mends."""


class Unavailable(IdeasApiError):
    """Connection errors, time-outs, 5xx or broken bodies, after every retry."""


class RateLimited(Unavailable):
    """The API (or our own budget) asks for a longer pause than the deadline allows.

    ``retry_after``: seconds until it makes sense to ask again, if known.
    """

    retry_after: float | None = None
