"""The history of ideas as an asset: it is written with the ideas, in the same transactions, so they tell of it."""

from __future__ import annotations

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.defs.tables import asset_key, asset_spec
from ideas_pipeline.settings import Settings
from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY
from ideas_pipeline.warehouse.engines import reading

GROUP = "history"
WRITER = "ideas"

_ABOUT = "Written with `ideas`, in the same transactions: a run of `ideas` brings it up to date."


def idea_history(settings: Settings) -> dg.AssetSpec:
    ideas, challenges = asset_key(settings, "ideas"), asset_key(settings, "challenges")

    def of(*columns: str) -> list[dg.TableColumnDep]:
        return [dg.TableColumnDep(ideas, column) for column in columns]

    lineage = {
        "idea_id": of("id"),
        "value": of(*ATTRIBUTES.values(), "idea_labels.label_id"),
        "challenge_id": of("challenge_id"),
        "name": [
            *of("idea_labels.name"),
            *(dg.TableColumnDep(challenges, column) for column in ("title", "challenge_stages.name")),
        ],
        "source_at": of("updated_at"),
    }
    return asset_spec(
        settings,
        IDEA_HISTORY,
        GROUP,
        about=[_ABOUT],
        deps=[ideas, challenges],
        metadata={"dagster/column_lineage": dg.TableColumnLineage(lineage)},
    )


def history_written(settings: Settings, engine: sa.Engine) -> dg.AssetMaterialization:
    """What there is now. Raises WarehouseError."""
    history = IDEA_HISTORY.c
    counted = sa.select(sa.func.count(), sa.func.count(sa.case((history.observed_to.is_(None), 1))))
    with reading(engine) as connection:
        rows, lasting = connection.execute(counted.where(history.community == settings.community)).one()
    return dg.AssetMaterialization(
        asset_key(settings, IDEA_HISTORY.name),
        metadata={"dagster/row_count": rows, "intervals that last": lasting},
    )
