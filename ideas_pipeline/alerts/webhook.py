"""An alert to a webhook, in the JSON that Slack, Mattermost and others take."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from pydantic import SecretStr

from ideas_pipeline.alerts.messages import Alert
from ideas_pipeline.errors import NotDelivered

_SECONDS = 10


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The address is a secret between us and one server: no other is told."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


# Not requests, whose connections log the address that they ask for.
_OPENER = urllib.request.build_opener(_NoRedirects)


def post(address: SecretStr, alert: Alert) -> None:
    """Post ``{"text": …}`` to ``address``. Raises NotDelivered, at the latest after some seconds of silence."""
    text = f"*{_escaped(alert.subject)}*\n{_escaped(alert.text)}"
    request = urllib.request.Request(  # noqa: S310 - the settings take https alone, or this machine
        address.get_secret_value(),
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "ideas_pipeline"},
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=_SECONDS):
            pass
    # None of their own words: they can hold the address.
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDelivered(
            f"the webhook answered with status {error.code}. Check that IDEAS_ALERT_WEBHOOK is still valid."
        ) from None
    except TimeoutError:
        raise NotDelivered(f"the webhook did not answer within {_SECONDS} seconds.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "reason", error)
        said = "did not answer in time" if isinstance(why, TimeoutError) else "cannot be reached"
        raise NotDelivered(f"the webhook {said}. Check IDEAS_ALERT_WEBHOOK and this machine's network.") from None


def _escaped(text: str) -> str:
    """What Slack would take for a link or a mention, as plain text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
