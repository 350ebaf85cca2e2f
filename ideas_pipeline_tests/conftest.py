from __future__ import annotations

import hypothesis

from ideas_pipeline_tests.engines import (  # fixtures
    other_warehouse,
    postgresql_server,
    postgresql_url,
    sqlite_url,
    warehouse,
    warehouse_url,
)
from ideas_pipeline_tests.processes import accept_interrupts

__all__ = ["other_warehouse", "postgresql_server", "postgresql_url", "sqlite_url", "warehouse", "warehouse_url"]

# How long an example takes depends on the machine and on what else it does.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_configure() -> None:
    accept_interrupts()
