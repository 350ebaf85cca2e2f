"""Types that the contract's models share: validated texts, paths of values, the base model, and a mistake."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: use a name such as Europe/Madrid or UTC") from None
    return name


def _below_the_base(path: str) -> str:
    # Errors repeat neither the path nor the address: either may contain a secret by mistake.
    if "://" in path or path.startswith("//"):
        raise ValueError("it must be a path below the API's address, not an address of its own")
    if {"..", "."} & set(unquote(path).split("/")):
        raise ValueError("it must not contain the segments . or .., which lead elsewhere")
    if not path.isprintable() or " " in path:
        raise ValueError("it must not contain spaces, line breaks or control characters")
    return path


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable():
        raise ValueError("it must start with https:// and a host, without user, password, query or fragment")
    return url


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise ValueError("a header's name has only letters, digits and -")
    return name


def _days_or_times(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not re.fullmatch(r"-?[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?", text):
            raise ValueError(f"{text!r} is neither a day such as 0001-01-01 nor a time such as 1970-01-01 00:00:00")
    return texts


def refuse_other_placeholders(template: str, known: Iterable[str]) -> None:
    """Raise ValueError if ``template`` has a placeholder that is not in ``known``."""
    names = set()
    try:
        for _, name, form, conversion in string.Formatter().parse(template):
            if name is not None:
                names.add(name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else ""))
    except ValueError:
        raise ValueError("a { or } has no counterpart: write {{ or }} for a literal brace") from None
    if unknown := sorted(names - set(known)):
        raise ValueError(f"nothing fills {{{unknown[0]}}}. Known are: {', '.join(f'{{{name}}}' for name in known)}")


Zone = Annotated[str, AfterValidator(_known_zone)]
UrlPath = Annotated[str, AfterValidator(_below_the_base)]
Address = Annotated[str, AfterValidator(_address)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Paths = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
NoTimes = Annotated[tuple[str, ...], AfterValidator(_days_or_times)]
SendAs = Literal["form", "query", "json"]
Json = Any
Steps = tuple[str | int, ...]
"""The way to a value in the contract: ``("streams", "ideas", "path")``."""


class Mistake(NamedTuple):
    """What is wrong with the value at ``steps``: a sentence whose subject is the path of that value."""

    steps: Steps
    what: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.steps))} {self.what}"


class Model(BaseModel):
    """Immutable base of the contract's models. Unknown names are errors; null means that a value is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {name: value for name, value in data.items() if value is not None or name not in known}
