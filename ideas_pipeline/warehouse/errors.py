"""What can go wrong with the warehouse, in words."""

from __future__ import annotations


class WarehouseError(Exception):
    """What happened, where, and what to do. Never carries a password or a row's values."""


class WarehouseMisconfigured(WarehouseError):
    """The address of the warehouse cannot be used as it stands: a person must first correct it."""
