"""What a check says, in the form that Dagster shows."""

from __future__ import annotations

import dagster as dg

SHOWN = 5
WARN = dg.AssetCheckSeverity.WARN


def passed(name: str, description: str, **numbers: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, check_name=name, description=description, metadata=dict(numbers))


def failed(
    name: str,
    description: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    **numbers: int,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False, check_name=name, severity=severity, description=description, metadata=dict(numbers)
    )


def listed(counted: dict[str, int]) -> str:
    """The first few with their counts: ``a (3), b (1) …``."""
    shown = [f"{what} ({count:,})" for what, count in list(counted.items())[:SHOWN]]
    return ", ".join(shown) + (" …" if len(counted) > len(shown) else "")
