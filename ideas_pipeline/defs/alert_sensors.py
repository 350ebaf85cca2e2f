"""Sensors that tell operators: of a run that failed, and of a community that nothing has proven complete for long."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import dagster as dg

from ideas_pipeline.alerts.messages import Alert, due, last_proven, late_streams, no_longer_stale, runs_failed, stale
from ideas_pipeline.alerts.send import Outlet, outlets
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.failed_runs import failed_runs, newest_failure
from ideas_pipeline.errors import NotDelivered, WarehouseError
from ideas_pipeline.settings import Settings
from ideas_pipeline.warehouse import status
from ideas_pipeline.warehouse.warehouse import Warehouse

_STALENESS_SECONDS = 15 * 60
_OFF = "Nobody is told: set IDEAS_ALERT_WEBHOOK, or IDEAS_SMTP_URL and IDEAS_ALERT_EMAILS, and start it."

T = TypeVar("T")


def alert_sensors(settings: Settings, contract: Contract) -> list[dg.SensorDefinition]:
    """They run where there is somebody to tell: whoever names an address wants to hear, without another switch."""
    told = outlets(settings)
    return [_failure_sensor(settings, contract, told), _staleness_sensor(settings, contract, told)]


def _failure_sensor(settings: Settings, contract: Contract, told: Mapping[str, Outlet]) -> dg.SensorDefinition:
    streams = contract.order()

    # Not Dagster's own run_failure_sensor: that one goes on to the next failure when an alert could not be sent.
    @dg.sensor(
        name="failure_alerts",
        description=_description("Tells of each run that failed and is not tried again.", told),
        default_status=_status(told),
    )
    def failure_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not told:
            return dg.SensorResult(skip_reason=_OFF)

        def news(place: int | None) -> tuple[Alert | None, int]:
            if place is None:
                return None, newest_failure(context.instance)
            runs, place = failed_runs(context, settings, place, datetime.now(UTC))
            return (runs_failed(settings.community, runs, _proven(settings, streams)) if runs else None), place

        return _tell(context, told, news)

    return failure_alerts


def _staleness_sensor(settings: Settings, contract: Contract, told: Mapping[str, Outlet]) -> dg.SensorDefinition:
    streams = contract.order()
    hours = settings.stale_hours
    what = (
        f"Tells, once a day, while {settings.community} was not proven complete within {hours:g} hours, and when it is."
    )

    @dg.sensor(
        name="staleness_alerts",
        description=_description(what, told),
        default_status=_status(told),
        minimum_interval_seconds=_STALENESS_SECONDS,
    )
    def staleness_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not told:
            return dg.SensorResult(skip_reason=_OFF)
        now = datetime.now(UTC)
        url = settings.warehouse_url.get_secret_value()
        with Warehouse.open(url, settings.community) as warehouse, warehouse.reading() as tx:
            since, born = status.last_complete(tx), status.created_at(tx)
        late = late_streams(streams, since, born, timedelta(hours=hours), now)

        def news(said: str | None) -> tuple[Alert | None, str | None]:
            match due(bool(late), datetime.fromisoformat(said) if said else None, now):
                case "stale":
                    return stale(settings.community, late, hours, now), now.isoformat()
                case "over":
                    return no_longer_stale(settings.community, last_proven(streams, since, now)), None
                case None:
                    return None, said

        return _tell(context, told, news)

    return staleness_alerts


def _tell(
    context: dg.SensorEvaluationContext, told: Mapping[str, Outlet], news: Callable[[T | None], tuple[Alert | None, T]]
) -> dg.SensorResult:
    """Gives each outlet its news, and keeps in the cursor how far each was told. One that fails is told next time.

    ``news``: from how far an outlet was told (None is not yet), what it is to be told, and how far that is.
    """
    before: dict[str, T] = json.loads(context.cursor or "{}")
    after, sent, problems = {}, [], []
    for name, deliver in told.items():
        alert, place = news(before.get(name))
        try:
            if alert:
                deliver(alert)
                sent.append(f"{alert.subject} ({name})")
            after[name] = place
        except NotDelivered as error:
            problems.append(f"An alert was not delivered, and will be sent again: {error}")
            context.log.error(problems[-1])
            if name in before:
                after[name] = before[name]
    said = [*problems, *(f"Sent: {what}." for what in sent)]
    return dg.SensorResult(skip_reason=" ".join(said) or "Nothing to tell.", cursor=json.dumps(after))


def _proven(settings: Settings, streams: list[str]) -> str:
    try:
        url = settings.warehouse_url.get_secret_value()
        with Warehouse.open(url, settings.community) as warehouse, warehouse.reading() as tx:
            found = status.last_complete(tx)
    except WarehouseError as error:
        return f"When everything was last proven complete cannot be said: {error}"
    return last_proven(streams, found, datetime.now(UTC))


def _description(what: str, told: Mapping[str, Outlet]) -> str:
    return f"{what} By {' and '.join(told)}." if told else f"{what} **{_OFF}**"


def _status(told: Mapping[str, Outlet]) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if told else dg.DefaultSensorStatus.STOPPED
