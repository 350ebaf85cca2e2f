"""What may be stored of people: kept, hashed with a key, or dropped, by class of personal data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Choice = Literal["keep", "hash", "drop"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The choice for each class of personal data (see ``tables``). A person's id is always kept."""

    email: Choice = "drop"
    name: Choice = "keep"
    profile: Choice = "keep"
    free_text: Choice = "keep"
