"""What can go wrong with keeping people out, in words."""

from __future__ import annotations


class PrivacyError(Exception):
    """What is wrong and what to do. Never names a person or an address."""
