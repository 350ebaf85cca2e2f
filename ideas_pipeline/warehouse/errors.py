"""What can go wrong with the warehouse, in words."""

from __future__ import annotations


class WarehouseError(Exception):
    """What happened, where, and what to do. Never carries a password or a row's values."""
