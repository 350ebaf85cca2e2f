"""Moments as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta


def ago(then: datetime, now: datetime) -> str:
    """How long ago ``then`` was, in the largest unit that fits: ``5 minutes ago``. Both aware, any zone."""
    passed = max(now - then, timedelta())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if count := int(passed.total_seconds() // length):
            return f"{count:,} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def moment(then: datetime, now: datetime) -> str:
    """``2026-11-23 02:04 UTC, 5 hours ago``. ``then`` is in UTC."""
    return f"{then:%Y-%m-%d %H:%M} UTC, {ago(then, now)}"
