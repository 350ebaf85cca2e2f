"""Lay a part of a contract over a whole one: an operator's file over the default, what ``check`` suggests over both."""

from __future__ import annotations

from ideas_pipeline.contract.paging import STYLES
from ideas_pipeline.contract.types import Json


def merge(base: Json, over: Json) -> Json:
    """Lay ``over`` on ``base``, both plain data.

    Maps are merged name by name; any other value replaces the one in ``base``. A null removes a value of ``base``;
    a null for a name that ``base`` does not have stays, so that validation can refuse a misspelled name.
    """
    if not isinstance(over, dict):
        return over
    before = base if isinstance(base, dict) else {}
    merged = dict(before)
    for name, value in over.items():
        if value is None and name in before:
            del merged[name]
        elif name == "total":
            # A total is in one place, so another place is not an addition.
            merged[name] = value
        elif name == "paging":
            merged[name] = _of_one_style(merge(before.get(name), value), value)
        else:
            merged[name] = merge(before.get(name), value)
    return merged


def _of_one_style(merged: Json, over: Json) -> Json:
    """Drop what only the old paging style has, if ``over`` names a style: size and total stay, a page number goes."""
    style = STYLES.get(str(over.get("style"))) if isinstance(over, dict) else None
    if style is None:
        return merged
    return {name: value for name, value in merged.items() if name in over or name in style.model_fields}
