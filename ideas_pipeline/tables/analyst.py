"""The table that analysts maintain: the pipeline reads it and never writes it."""

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
        f"The class of the label: {ADOPTED} makes its ideas count as adopted; any other word is a class of its own.",
        required=True,
    ),
    comment="One row per label, written by you: the class of a status label. "
    "The marts use it from the next sync on, or after `ideas-pipeline marts`.",
)
