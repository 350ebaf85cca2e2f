"""The comparison that all tests of the marts share: both engines, with label classes."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts.comparing import assert_marts_are, expected
from ideas_pipeline_tests.marts.facts import facts
from ideas_pipeline_tests.marts.following import Follower, copy_tables
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_writing

CLASSES = {"12": "adopted", "13": "adopted", "1": "declined", "never given": "dreamt of"}


def classify(engine: sa.Engine, classes: dict[str, str]) -> None:
    rows = [{"community": COMMUNITY, "label_id": label, "class": name} for label, name in classes.items()]
    with engine.begin() as connection:
        connection.execute(sa.insert(LABEL_CLASSES), rows)


def assert_true_on_both(
    follower: Follower, postgresql: Warehouse, classes: dict[str, str], timezone: str = "Europe/Madrid"
) -> None:
    as_of = follower.looks[-1].ended + timedelta(days=40)
    copy_tables(follower.engine, postgresql.engine)
    truth = expected(facts(follower.witness(), timezone, as_of, classes))
    for engine in (follower.engine, postgresql.engine):
        call_writing(Warehouse(engine, COMMUNITY), build_marts, timezone, as_of)
        assert_marts_are(engine, truth)
