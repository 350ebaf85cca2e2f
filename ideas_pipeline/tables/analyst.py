"""The table that analysts own: the pipeline reads it and never writes it."""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import METADATA

ADOPTED = "adopted"

LABEL_CLASSES = sa.Table(
    "label_classes",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("label_id", "id", "A label's id (see idea_labels).", key=True),
    column(
        "class",
        "text",
        f"What the label means to you: {ADOPTED} makes its ideas count as adopted; any other word is a class, too.",
        required=True,
    ),
    comment="What status labels mean, as only you can know: one row a label, written by you. "
    "The marts are built with it at the next sync, or by `ideas-pipeline marts`.",
)
