"""Models of the contract's paging styles, and of the place of a list's total."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ideas_pipeline.contract.types import HeaderName, Model, Paths


class Total(Model):
    """Where the API reports how many records a list has: in the body, or in a response header."""

    body: Paths = ()
    header: HeaderName | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Total:
        if bool(self.body) == bool(self.header):
            raise ValueError("say where the total is: either body (a path) or header (a name)")
        return self


def _can_end_a_list(status: int) -> int:
    if not 400 <= status <= 599 or status in (401, 429, 503):
        raise ValueError(
            f"{status} cannot be the status of a page beyond the end: name one from 400 to 599 other than 401, 429 and "
            "503, which are about the token and the load"
        )
    return status


Statuses = Annotated[
    tuple[Annotated[int, AfterValidator(_can_end_a_list)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, int) else value),
]


class NoPaging(Model):
    """The whole list comes in one response."""

    style: Literal["none"]
    total: Total | None = None


class PagePaging(Model):
    """Pages are numbered, ``first`` being 0 or 1.

    ``beyond``: statuses of a page beyond the last one, besides those that every API uses.
    """

    style: Literal["page"]
    page_parameter: str = "page"
    size_parameter: str | None = None
    first: Literal[0, 1] = 1
    size: int = Field(default=100, ge=1)
    total: Total | None = None
    beyond: Statuses = ()


class OffsetPaging(Model):
    """A page starts after ``offset`` records. ``beyond``: as for numbered pages."""

    style: Literal["offset"]
    offset_parameter: str = "offset"
    size_parameter: str | None = None
    size: int = Field(default=100, ge=1)
    total: Total | None = None
    beyond: Statuses = ()


class CursorPaging(Model):
    """Each response has the cursor of the next page in its body; an empty or missing cursor is the end."""

    style: Literal["cursor"]
    cursor_parameter: str = "cursor"
    cursor: Paths
    size_parameter: str | None = None
    size: int = Field(default=100, ge=1)
    total: Total | None = None


class NextLinkPaging(Model):
    """Each response has the next page's URL, absolute or relative: at ``next`` in the body, or in ``Link``."""

    style: Literal["next_link"]
    next: Paths = ()
    size_parameter: str | None = None
    size: int = Field(default=100, ge=1)
    total: Total | None = None


Paging = Annotated[NoPaging | PagePaging | OffsetPaging | CursorPaging | NextLinkPaging, Field(discriminator="style")]

STYLES: dict[str, type[Model]] = {
    "none": NoPaging,
    "page": PagePaging,
    "offset": OffsetPaging,
    "cursor": CursorPaging,
    "next_link": NextLinkPaging,
}
