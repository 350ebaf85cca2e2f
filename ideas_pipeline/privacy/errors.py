"""What can go wrong with keeping people out, in words."""

from __future__ import annotations

from ideas_pipeline.warehouse.errors import WarehouseMisconfigured


class PrivacyError(WarehouseMisconfigured):
    """Why it cannot be known who was erased, and what to do. Never names a person or an address.

    As for any warehouse that cannot be used as it stands, a person must act before anything is read or written.
    """
