from __future__ import annotations

from ideas_pipeline_tests.engines import (  # fixtures
    postgresql_server,
    postgresql_url,
    sqlite_url,
    warehouse,
    warehouse_url,
)

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url", "warehouse", "warehouse_url"]
