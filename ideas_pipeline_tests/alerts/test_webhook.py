from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from ideas_pipeline.alerts import webhook
from ideas_pipeline.alerts.messages import Alert
from ideas_pipeline.errors import NotDelivered
from ideas_pipeline_tests.alerts.servers import WebhookServer, webhook_server
from ideas_pipeline_tests.processes import free_port

ALERT = Alert("[acme] nightly_sync failed", "comments: <!channel> 3 & more\n\nDo this.")


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with webhook_server() as running:
        yield running


def refusal(address: str) -> str:
    with pytest.raises(NotDelivered) as caught:
        webhook.post(SecretStr(address), ALERT)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def test_an_alert_is_one_text_as_slack_takes_it_and_mentions_nobody(server: WebhookServer) -> None:
    webhook.post(SecretStr(server.address), ALERT)

    assert server.texts == [
        "*[acme] nightly_sync failed*\ncomments: &lt;!channel&gt; 3 &amp; more\n\nDo this.",
    ]
    assert server.paths == ["/services/canary-webhook"]


@pytest.mark.parametrize("status", [500, 404, 429])
def test_a_webhook_that_refuses_is_named_with_its_status(server: WebhookServer, status: int) -> None:
    server.status = status

    assert refusal(server.address).startswith(f"the webhook answered with status {status}. Check")


def test_another_address_is_sent_nothing_however_the_webhook_sends_us_there(server: WebhookServer) -> None:
    server.status = 302

    assert "status 302" in refusal(server.address)
    assert server.paths == ["/services/canary-webhook"]


def test_a_webhook_that_hangs_is_given_up(server: WebhookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.2)
    server.status = None

    assert "did not answer within" in refusal(server.address)


def test_a_webhook_that_is_not_there_is_a_sentence() -> None:
    assert "cannot be reached" in refusal(f"http://127.0.0.1:{free_port()}/services/canary-webhook")


def test_the_address_is_in_no_log(server: WebhookServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        webhook.post(SecretStr(server.address), ALERT)
        server.status = 500
        refusal(server.address)

    assert "canary" not in caplog.text
