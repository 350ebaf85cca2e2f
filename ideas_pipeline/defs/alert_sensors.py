"""Sensors that send alerts: about failed runs, communities that were not complete for too long, and configurations."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import dagster as dg

from ideas_pipeline.alerts.messages import Alert, configuration_changed, due, no_longer_overdue, overdue, runs_failed
from ideas_pipeline.alerts.send import Outlet, outlets
from ideas_pipeline.app import expectations_of, open_warehouse
from ideas_pipeline.defs.configuration import Community, Loaded, left_out
from ideas_pipeline.defs.failed_runs import failed_runs, newest_failure
from ideas_pipeline.errors import NotDelivered, WarehouseError
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync import community_findings
from ideas_pipeline.visible import visible
from ideas_pipeline.warehouse.status import last_complete

_OVERDUE_SECONDS = 15 * 60
_CONFIGURATION_SECONDS = 5 * 60
_OFF = "No alert is sent: set IDEAS_ALERT_WEBHOOK, or IDEAS_SMTP_URL and IDEAS_ALERT_EMAILS, and start it."

T = TypeVar("T")


def alert_sensors(community: Community, loaded: Loaded | None) -> list[dg.SensorDefinition]:
    """The sensors. They run from the start if an address for alerts is configured.

    Args:
        community: the community.
        loaded: what the definitions are built from; None if that is not compared with our files.
    """
    to = outlets(community.settings)
    return [
        _failure_sensor(community, to),
        _staleness_sensor(community, to),
        *([_configuration_sensor(community, loaded, to)] if loaded else []),
    ]


def _failure_sensor(community: Community, to: Mapping[str, Outlet]) -> dg.SensorDefinition:
    settings, streams = community.settings, community.contract.order()

    # Not Dagster's own run_failure_sensor: that one goes on to the next failure when an alert could not be sent.
    @dg.sensor(
        name=community.named("failure_alerts"),
        description=_description("Sends an alert when a run has failed and gets no second try.", to, settings),
        default_status=_status(to),
    )
    def failure_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not to:
            return dg.SensorResult(skip_reason=settings.worded(_OFF))

        def news(place: int | None) -> tuple[Alert | None, int]:
            if place is None:
                return None, newest_failure(context.instance)
            runs, place = failed_runs(context, community, place, datetime.now(UTC))
            return (runs_failed(settings.community, runs, _complete(settings, streams)) if runs else None), place

        return _send(context, to, news)

    return failure_alerts


def _staleness_sensor(community: Community, to: Mapping[str, Outlet]) -> dg.SensorDefinition:
    settings, contract = community.settings, community.contract
    what = (
        f"Sends an alert once a day while {settings.community} was not complete within the last "
        f"{settings.stale_hours:g} hours, and when it is complete again."
    )

    @dg.sensor(
        name=community.named("staleness_alerts"),
        description=_description(what, to, settings),
        default_status=_status(to),
        minimum_interval_seconds=_OVERDUE_SECONDS,
    )
    def staleness_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not to:
            return dg.SensorResult(skip_reason=settings.worded(_OFF))
        now = datetime.now(UTC)
        with open_warehouse(settings) as warehouse, warehouse.reading() as tx:
            known = community_findings.state(tx)
        finding = community_findings.overdue(contract, known, expectations_of(settings), now)

        def news(sent: str | None) -> tuple[Alert | None, str | None]:
            what = due(finding is not None, datetime.fromisoformat(sent) if sent else None, now)
            if what == "overdue" and finding:
                return overdue(settings.community, finding), now.isoformat()
            if what == "over":
                since = community_findings.last_complete_in_words(contract.order(), known.last_complete, now)
                return no_longer_overdue(settings.community, since), None
            return None, sent

        return _send(context, to, news)

    return staleness_alerts


def _configuration_sensor(community: Community, loaded: Loaded, to: Mapping[str, Outlet]) -> dg.SensorDefinition:
    @dg.sensor(
        name=community.named("configuration_alerts"),
        description=_description(
            "Says whether contract and settings were changed since Dagster loaded them, and are valid. Sends an alert "
            "once per change.",
            to,
            community.settings,
        ),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_CONFIGURATION_SECONDS,
    )
    def configuration_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        finding = loaded.finding(community.settings)
        if finding is None and not context.cursor:
            return dg.SkipReason("What Dagster loaded is what the files say.")
        if not to:
            return dg.SkipReason(visible(finding.text) if finding else community.settings.worded(_OFF))

        def news(sent: str | None) -> tuple[Alert | None, str | None]:
            if finding is None:
                return None, None
            if finding.what == sent:
                return None, sent
            return configuration_changed(community.name, finding), finding.what

        return _send(context, to, news)

    return configuration_alerts


def invalid_sensor(communities: Sequence[Community], invalid: Mapping[str, str]) -> dg.SensorDefinition:
    """The sensor that sends one alert about the communities that are left out.

    Args:
        communities: the others, whose outlets it uses, each address once.
        invalid: the communities that are left out, and why.
    """
    to: dict[str, Outlet] = {}
    addresses = set()
    for community in communities:
        settings = community.settings
        for name, outlet in outlets(settings).items():
            address = settings.alert_webhook if name == "webhook" else (settings.smtp_url, settings.alert_emails)
            if address not in addresses:
                addresses.add(address)
                to[f"{name} of {community.name}"] = outlet
    finding = left_out(invalid)

    @dg.sensor(
        name="invalid_configuration_alerts",
        description=f"{finding.text} Sends an alert once.",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_CONFIGURATION_SECONDS,
    )
    def invalid_configuration_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        def news(sent: str | None) -> tuple[Alert | None, str]:
            alert = configuration_changed(", ".join(invalid), finding)
            return (None if sent == finding.what else alert), finding.what

        return _send(context, to, news) if to else dg.SkipReason(visible(finding.text))

    return invalid_configuration_alerts


def _send(
    context: dg.SensorEvaluationContext, to: Mapping[str, Outlet], news: Callable[[T | None], tuple[Alert | None, T]]
) -> dg.SensorResult:
    """Send each outlet its alert, and keep in the cursor up to where each is informed.

    An outlet to which nothing could be delivered keeps its place, so that the next tick sends it again.

    Args:
        context: the tick, with the cursor that the last one left.
        to: the outlets by name.
        news: from the place up to which an outlet is informed (None before the first tick), the alert to send, if any,
            and the place after it.
    """
    before: dict[str, T] = json.loads(context.cursor or "{}")
    after, sent, problems = {}, [], []
    for name, deliver in to.items():
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
    done = [*problems, *(f"Sent: {what}." for what in sent)]
    return dg.SensorResult(skip_reason=" ".join(done) or "No alert to send.", cursor=json.dumps(after))


def _complete(settings: Settings, streams: list[str]) -> str:
    try:
        with open_warehouse(settings) as warehouse, warehouse.reading() as tx:
            found = last_complete(tx)
    except WarehouseError as error:
        return settings.worded(f"When everything was last complete is unknown: {error}")
    return community_findings.last_complete_in_words(streams, found, datetime.now(UTC))


def _description(what: str, to: Mapping[str, Outlet], settings: Settings) -> str:
    return f"{what} By {' and '.join(to)}." if to else f"{what} **{settings.worded(_OFF)}**"


def _status(to: Mapping[str, Outlet]) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if to else dg.DefaultSensorStatus.STOPPED
