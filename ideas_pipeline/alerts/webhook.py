"""An alert to a webhook, as the JSON that Slack, Mattermost and others accept."""

from __future__ import annotations

import html
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from pydantic import SecretStr

from ideas_pipeline.alerts.messages import Alert
from ideas_pipeline.errors import NotDelivered
from ideas_pipeline.visible import unlinked

_SECONDS = 10


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The address is a secret, so it is not sent to another server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


# Not requests: urllib3 logs the address of each request.
_OPENER = urllib.request.build_opener(_NoRedirects)


def post(address: SecretStr, alert: Alert) -> None:
    """Post ``{"text": …}`` to ``address``. Raises NotDelivered, at the latest after 10 seconds without a response."""
    text = f"*{escaped(alert.subject)}*\n{escaped(alert.text)}"
    request = urllib.request.Request(  # noqa: S310 - the settings allow only https, or this machine
        address.get_secret_value(),
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "ideas_pipeline"},
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=_SECONDS):
            pass
    # The errors' own messages are not repeated, because they can contain the address.
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDelivered(
            f"the webhook answered with status {error.code}. Check that IDEAS_ALERT_WEBHOOK is still valid."
        ) from None
    except TimeoutError:
        raise NotDelivered(f"the webhook did not answer within {_SECONDS} seconds.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "reason", error)
        what = "did not answer in time" if isinstance(why, TimeoutError) else "cannot be reached"
        raise NotDelivered(f"the webhook {what}. Check IDEAS_ALERT_WEBHOOK and this machine's network.") from None


def escaped(text: str) -> str:
    """``text`` without the characters that Slack reads as a link or a mention, and without those of Mattermost.

    See https://docs.slack.dev/messaging/formatting-message-text, and ``unlinked`` for Mattermost.
    """
    return unlinked(html.escape(text, quote=False))
