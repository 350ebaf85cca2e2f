"""Every table of this package. Import ``METADATA`` from here: each module registers its tables when it is imported."""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.bookkeeping import WAREHOUSE
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY

METADATA: sa.MetaData = WAREHOUSE.metadata
"""The metadata of all tables."""

ANALYST_TABLES: dict[str, sa.Table] = {**TABLES, IDEA_HISTORY.name: IDEA_HISTORY, LABEL_CLASSES.name: LABEL_CLASSES}
"""The tables that analysts read and marts are built from, by name: the community, its history, the label classes."""

BOOKKEEPING_TABLES: dict[str, sa.Table] = {
    name: table for name, table in METADATA.tables.items() if name not in ANALYST_TABLES
}
"""The tables in which the pipeline records its own work, by name."""
