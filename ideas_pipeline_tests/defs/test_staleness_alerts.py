"""The sensor that says when a community was not complete for too long, evaluated as Dagster's daemon does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import WAREHOUSE
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.alerts.servers import WebhookServer
from ideas_pipeline_tests.defs.alerting import STALENESS, Daemon, proven


def test_a_community_that_is_not_proven_complete_is_reported_once_a_day_until_it_is(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    daemon = Daemon(instance, STALENESS)
    proven(hours_ago=37)

    assert daemon.tick() == "Sent: [acme] not complete: challenges, users, ideas, comments, votes (webhook)."
    assert "votes (20" in hook.texts[0]
    assert daemon.tick() == "No alert to send."
    yesterday = datetime.now(UTC) - timedelta(days=1)
    daemon.cursor = json.dumps({"webhook": yesterday.isoformat()})
    assert daemon.tick().startswith("Sent: [acme] not complete")

    proven(hours_ago=35)
    assert daemon.tick() == "Sent: [acme] all clear: complete again (webhook)."
    assert daemon.tick() == "No alert to send."
    assert len(hook.texts) == 3


def test_an_all_clear_that_could_not_be_sent_is_sent_later(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    daemon = Daemon(instance, STALENESS)
    proven(hours_ago=37)
    daemon.tick()
    proven(hours_ago=0)
    hook.status = 500

    assert daemon.tick().startswith("An alert was not delivered")
    hook.status = 200
    assert daemon.tick() == "Sent: [acme] all clear: complete again (webhook)."


def test_a_warehouse_that_never_had_a_sync_is_reported_when_it_is_old_enough(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_STALE_HOURS", "2")
    daemon = Daemon(instance, STALENESS)
    assert daemon.tick() == "No alert to send."
    with (
        Warehouse.open("sqlite:///.ideas/warehouse.db", "acme") as warehouse,
        warehouse.engine.begin() as connection,
    ):
        earlier = datetime.now(UTC) - timedelta(hours=3)
        connection.execute(sa.update(WAREHOUSE).values(created_at=earlier))

    daemon.tick()

    assert "within the last 2 hours; last complete: challenges (never)" in hook.texts[0]
