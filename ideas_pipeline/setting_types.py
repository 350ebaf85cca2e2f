"""Types of settings. A check raises ValueError without a message: ``settings`` writes it, with the variable's name."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints
from pydantic_settings import NoDecode

Choice = Literal["keep", "hash", "drop"]

# Hosts that are this machine itself.
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# The account store in the database of the warehouse.
WAREHOUSE = "warehouse"
_FERNET_BYTES = 32
_ADDRESS = re.compile(r"[^@\s,;:<>\"()]+@[^@\s,;:<>\"()]+")


def _is_a_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    # OSError: "Europe" is a folder of zones.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError from None
    return name


def _is_private(url: SplitResult) -> bool:
    """Whether the connection is encrypted, or does not leave this machine."""
    return bool(url.hostname) and (url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK))


def _is_a_base_url(url: str) -> str:
    parts = urlsplit(url)
    if not _is_private(parts) or parts.username or parts.query or parts.fragment:
        raise ValueError(url)
    return url.rstrip("/") + "/"


def _is_a_database_url(url: SecretStr) -> SecretStr:
    if not urlsplit(url.get_secret_value()).scheme:
        raise ValueError
    return url


def _is_a_folder_url(url: str) -> str:
    parts = urlsplit(url)
    if "://" not in url or not parts.scheme or parts.password or parts.query or parts.fragment:
        raise ValueError
    return url


def _is_a_store(place: object) -> object:
    """A file, or as a secret the word ``warehouse`` or the URL of a PostgreSQL database."""
    if not isinstance(place, str):
        return place
    if "://" not in place and place != WAREHOUSE:
        return Path(place)
    if place != WAREHOUSE and not re.match(r"postgres(ql)?(\+psycopg)?://", place):
        raise ValueError
    return SecretStr(place)


def _are_fernet_keys(keys: SecretStr) -> SecretStr:
    for key in split_keys(keys):
        try:
            length = len(urlsafe_b64decode(key.encode("ascii")))
        except (binascii.Error, UnicodeError):
            raise ValueError from None
        if length != _FERNET_BYTES:
            raise ValueError
    return keys


def split_keys(keys: SecretStr) -> list[str]:
    """Keys that are separated by commas."""
    return [key.strip() for key in keys.get_secret_value().split(",")]


def _is_a_webhook(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if not _is_private(parts) or parts.port == 0 or parts.username:
        raise ValueError
    return url


def _is_a_mail_server(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    # A password that is not percent-encoded would be split, and its rest read as part of the host or path.
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.netloc.count("@") > 1
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.port == 0 or rest:
        raise ValueError
    return url


def _addresses(text: object) -> object:
    return tuple(part.strip() for part in text.split(",")) if isinstance(text, str) else text


def _is_an_address(text: str) -> str:
    # A mail server that does not support SMTPUTF8 (RFC 6531) rejects addresses that are not ASCII.
    if not (_ADDRESS.fullmatch(text) and text.isascii()):
        raise ValueError
    return text


def _in_full(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # "~user", and there is no such user
        raise ValueError from None


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
AnyPath = Annotated[Path, AfterValidator(_in_full)]
Zone = Annotated[str, AfterValidator(_is_a_zone)]
BaseUrl = Annotated[str, AfterValidator(_is_a_base_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_is_a_database_url)]
FolderUrl = Annotated[str, AfterValidator(_is_a_folder_url)]
Store = Annotated[AnyPath | SecretStr, BeforeValidator(_is_a_store)]
FernetKeys = Annotated[SecretStr, AfterValidator(_are_fernet_keys)]
Webhook = Annotated[SecretStr, AfterValidator(_is_a_webhook)]
MailServer = Annotated[SecretStr, AfterValidator(_is_a_mail_server)]
Address = Annotated[str, AfterValidator(_is_an_address)]
# NoDecode: in the environment it is a list separated by commas, not JSON.
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_addresses), NoDecode]


@dataclass(frozen=True, slots=True)
class Policy:
    """The choice per class of personal data (see ``tables``). A person's id is always kept."""

    email: Choice = "drop"
    name: Choice = "keep"
    profile: Choice = "keep"
    free_text: Choice = "keep"


KEEPS = Policy("keep", "keep", "keep", "keep")
