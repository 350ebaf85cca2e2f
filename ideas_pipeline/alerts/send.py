"""The outlets for alerts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ideas_pipeline.alerts import mail, webhook
from ideas_pipeline.alerts.messages import Alert
from ideas_pipeline.errors import NotDelivered
from ideas_pipeline.settings import Settings

Outlet = Callable[[Alert], None]


def outlets(settings: Settings) -> dict[str, Outlet]:
    """The configured outlets by name: functions that send an alert, or raise NotDelivered."""
    found: dict[str, Outlet] = {}
    if settings.alert_webhook:
        found["webhook"] = partial(webhook.post, settings.alert_webhook)
    if settings.smtp_url and settings.alert_emails:
        sender = settings.alert_from or settings.alert_emails[0]
        found["e-mail"] = partial(mail.send, settings.smtp_url, sender, settings.alert_emails)
    return {name: _naming_settings(outlet, settings) for name, outlet in found.items()}


def _naming_settings(outlet: Outlet, settings: Settings) -> Outlet:
    """The outlet, whose errors name the settings as a person wrote them."""

    def deliver(alert: Alert) -> None:
        try:
            outlet(alert)
        except NotDelivered as error:
            raise NotDelivered(settings.worded(str(error))) from None

    return deliver
