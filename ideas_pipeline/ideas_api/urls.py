"""Checks of the API's address, and the parts of URLs that may be logged."""

from __future__ import annotations

import ipaddress
import logging
import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ideas_pipeline.errors import ContractError

_DEFAULT_PORTS = {"https": 443, "http": 80}
_DOTS = frozenset((".", ".."))
# A value that is still encoded after so many times is not an id.
_MOST_DECODED = 5
# What urllib3 logs beside URLs: schemes, hosts, methods and the protocol's version.
_HARMLESS = re.compile(r"[^/?]*|HTTP/[0-9.]+")
_LOGGERS = tuple(
    f"urllib3.{name}" for name in ("connectionpool", "connection", "poolmanager", "response", "util.retry")
)


def checked_base_url(url: str) -> str:
    """Check the API's base URL, and return it with one slash at its end.

    Raises:
        ContractError: it is neither HTTPS nor HTTP to this machine, or has a user name, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        origin(parts)
    except ValueError:
        raise _unusable("it is not a URL") from None
    if not parts.hostname or parts.scheme not in _DEFAULT_PORTS:
        raise _unusable("it must start with https:// and a host")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise _unusable("it must not contain a user name, a password, a query or a fragment")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ContractError(
            f"requests to {parts.hostname} would not be encrypted",
            hint="Use https:// (http:// is only for this machine: localhost, 127.0.0.1, ::1).",
        )
    return url.rstrip("/") + "/"


def origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, for comparison. Raises ValueError if the port is not a number."""
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def same_host(target: str, url: str) -> str | None:
    """The URL ``target`` as it may be requested with the token that ``url`` was requested with.

    Behind a proxy that ends TLS, servers write their own links with ``http``. A link from https to http of the same
    host is therefore followed with the scheme and the port of ``url``.

    No link has a user name: it would replace the token. Libraries disagree on which host is meant before a backslash.

    Args:
        target: an absolute URL that the server sent.
        url: the URL that it was sent for.

    Returns:
        The URL; None if it leads to another host or port. Raises ValueError if ``target`` is not a URL, or has a user
        name.
    """
    there, here = urlsplit(target), urlsplit(url)
    if "@" in there.netloc or "\\" in there.netloc:
        raise ValueError
    if origin(there) == origin(here):
        return target
    downgraded = there.scheme == "http" and here.scheme == "https" and there.hostname == here.hostname
    if downgraded and there.port in (None, 80, here.port or 443):
        return urlunsplit((here.scheme, here.netloc, there.path, there.query, there.fragment))
    return None


def stays_in_place(value: str) -> bool:
    """Whether a value can be one segment of a URL's path: not if it is empty, or leads to another folder.

    ``.`` and ``..`` are removed from every path together with what they stand for (RFC 3986 §5.2.4), encoded or not, by
    clients, proxies and servers. Servers also take an encoded slash, or a backslash, for a slash.
    """
    for _ in range(_MOST_DECODED):
        if not value or not _DOTS.isdisjoint(value.replace("\\", "/").split("/")):
            return False
        if (decoded := unquote(value)) == value:
            return True
        value = decoded
    return False


def hide_requests_in_logs() -> None:
    """Make urllib3 log hosts and statuses alone: paths contain ids of people, queries secrets, and errors headers."""
    for name in _LOGGERS:
        # Adding the same filter again changes nothing.
        logging.getLogger(name).addFilter(_without_requests)


def _without_requests(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(_may_be_logged(arg) for arg in record.args)
    record.exc_info = record.exc_text = None
    return True


def _may_be_logged(arg: object) -> object:
    if arg is None or isinstance(arg, int | float):
        return arg
    if not isinstance(arg, str):
        return type(arg).__name__
    return arg if _HARMLESS.fullmatch(arg) else "/\N{HORIZONTAL ELLIPSIS}"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unusable(why: str) -> ContractError:
    # The URL itself is not shown: it may contain a password.
    return ContractError(
        f"the API's base URL cannot be used: {why}",
        hint="Set IDEAS_API_REGION to one of the contract's hosts, or IDEAS_API_BASE_URL to an address such as "
        "https://api.example.com/v2/.",
    )
