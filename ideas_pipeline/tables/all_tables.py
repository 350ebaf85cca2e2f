"""Every table of this folder. ``METADATA`` knows a table once its module is imported, and here all of them are."""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.bookkeeping import WAREHOUSE
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY

METADATA: sa.MetaData = WAREHOUSE.metadata
"""All of them."""

FOR_ANALYSTS: dict[str, sa.Table] = {**TABLES, IDEA_HISTORY.name: IDEA_HISTORY, LABEL_CLASSES.name: LABEL_CLASSES}
"""By name, what marts are made of and analysts read: the community, its past, and what analysts write themselves."""

BOOKS: dict[str, sa.Table] = {name: table for name, table in METADATA.tables.items() if name not in FOR_ANALYSTS}
"""By name, what the pipeline writes of its own doings."""
