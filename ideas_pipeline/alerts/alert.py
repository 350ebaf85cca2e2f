"""What operators are sent, and why it could not be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """``subject``: one line that says it all. ``text``: what happened, what it means, what to do."""

    subject: str
    text: str
