"""The check `freshness` of each stream, and the sensor that evaluates it when no run does."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
import json
from datetime import UTC, datetime

import dagster as dg

from ideas_pipeline.app import nights_of, open_warehouse
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.specs import asset_key
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.freshness import FRESHNESS, last_night, not_fresh
from ideas_pipeline.visible import visible
from ideas_pipeline.warehouse.status import last_loaded

_SECONDS = 10 * 60


def freshness_sensor(community: Community) -> dg.SensorDefinition:
    """The sensor. It runs from the start, because it only looks."""
    settings, contract = community.settings, community.contract
    nights = nights_of(settings)

    @dg.sensor(
        name=community.named(FRESHNESS),
        description=f"Evaluates the check `{FRESHNESS}` of every table once its night is over. {nights}",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_SECONDS,
    )
    def freshness(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        night = last_night(nights, now).start.isoformat()
        known = json.loads(context.cursor or "{}")
        late_before = known.get("late", [])
        if known.get("night") == night and not late_before:
            return dg.SkipReason("Every table was synced in the last night.")
        # A stream without a materialization is not read: Dagster has not synced the community yet.
        streams = [
            stream
            for stream in contract.order()
            if context.instance.get_latest_materialization_event(asset_key(settings, stream))
        ]
        if not streams:
            return dg.SkipReason("Nothing was synced yet.")
        with open_warehouse(settings) as warehouse, warehouse.reading() as tx:
            synced = last_loaded(tx)
        found = {stream: not_fresh(stream, synced.get(stream), nights, now) for stream in streams}
        late = [stream for stream, finding in found.items() if finding]
        changed = [stream for stream in streams if (stream in late) != (stream in late_before)]
        return dg.SensorResult(
            skip_reason=f"Not fresh: {', '.join(late)}." if late else "Every table is fresh.",
            cursor=json.dumps({"night": night, "late": late}),
            asset_events=[_evaluation(settings, stream, found[stream]) for stream in changed],
        )

    return freshness


def _evaluation(settings: Settings, stream: str, finding: Finding | None) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(settings, stream),
        check_name=FRESHNESS,
        passed=finding is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=visible(finding.text) if finding else "It was synced again.",
        metadata={},
    )
