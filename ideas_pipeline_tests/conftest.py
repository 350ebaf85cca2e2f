from __future__ import annotations

from ideas_pipeline_tests.engines import (  # fixtures
    other_warehouse,
    postgresql_server,
    postgresql_url,
    sqlite_url,
    warehouse,
    warehouse_url,
)

__all__ = ["other_warehouse", "postgresql_server", "postgresql_url", "sqlite_url", "warehouse", "warehouse_url"]
