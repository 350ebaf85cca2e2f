"""No text of a server or a member can make an alert fail, forge one, or mention or link anything in it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ideas_pipeline.alerts import mail, webhook
from ideas_pipeline.alerts.messages import Alert, FailedRun, no_longer_overdue, overdue, runs_failed
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline_tests.alerts.servers import mail_server, webhook_server
from ideas_pipeline_tests.test_visible import ANY_TEXT, is_plain

AT = datetime(2026, 11, 23, 2, 4, tzinfo=UTC)
HOSTILE = {
    "forged headers": "x\r\nBcc: eve@example.com\r\n\r\nbody",
    "surrogates": "\ud800 \udfff",
    "NUL and escapes": "\x00\x1b[2J\x9b",
    "reversed": "\u202etxt.exe\u2066",
    "separators": "a\u2028b\x85c\x0bd",
    "long": "x" * 1_000_000,
    "long without ASCII": "é\U0001f642" * 200_000,
    "encoded word": "=?utf-8?q?=0D=0ABcc=3A_eve=40example=2Ecom?=",
    "mentions": "<!channel> <@U123> @channel @here @all",
    "links": "<https://evil.example|all is well> [all is well](https://evil.example) https://evil.example",
    "a dot alone": "x\n.\nQUIT",
}
NAMES, TEXTS = list(HOSTILE), list(HOSTILE.values())


def alerts_about(text: str) -> Sequence[Alert]:
    finding = Finding("overdue", None, "error", text, text, text, {text: 1})
    runs = [FailedRun("1aaaabbbb", text, AT, [text] * 3)]
    return runs_failed("acme", runs, text), overdue("acme", finding), no_longer_overdue("acme", text)


@given(ANY_TEXT)
def test_the_lines_of_an_alert_are_our_own(text):
    usual = alerts_about("x")
    for alert, like in zip(alerts_about(text), usual, strict=True):
        assert is_plain(alert.subject)
        assert all(map(is_plain, alert.text.split("\n")))
        assert alert.text.count("\n") == like.text.count("\n")


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_an_alert_is_delivered_whatever_is_in_it(text):
    alerts = alerts_about(text)
    with webhook_server() as hook, mail_server() as server:
        for alert in alerts:
            webhook.post(SecretStr(hook.address), alert)
            mail.send(SecretStr(f"smtp://127.0.0.1:{server.port}"), "us@example.com", ["ann@example.com"], alert)
    assert len(hook.texts) == len(server.mails) == len(alerts)
    assert server.recipients == [["ann@example.com"]] * len(alerts)
    for posted, received, alert in zip(hook.texts, server.mails, alerts, strict=True):
        assert len(posted) < 50_000
        assert received["Subject"] == alert.subject.replace("=?", "= ?")
        assert "Bcc" not in received
        assert received.get_content().splitlines() == alert.text.splitlines()


@given(ANY_TEXT)
def test_a_mail_is_well_formed_and_says_what_the_alert_says(text):
    for alert in (*alerts_about(text), Alert(f"[acme] {text}", f"x {text}")):
        written = mail.message("us@example.com", ["ann@example.com"], alert).as_bytes(policy=policy.SMTP)
        assert max(map(len, written.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1
        received = message_from_bytes(written, policy=policy.default)
        assert isinstance(received, EmailMessage)
        (subject,) = received.get_all("Subject")
        assert "".join(subject.split()) == "".join(alert.subject.split())  # folding may double a space
        assert {"Bcc", "Cc"}.isdisjoint(received.keys())
        assert received.get_content().splitlines() == alert.text.splitlines()


@pytest.mark.parametrize("text", [HOSTILE["mentions"], HOSTILE["links"]])
def test_a_text_mentions_nobody_and_links_to_nothing(text):
    with webhook_server() as hook:
        webhook.post(SecretStr(hook.address), Alert("[acme] x", text))
    (posted,) = hook.texts
    assert not any(sign in posted for sign in ("<", "@channel", "@here", "@all", "](", "://"))
    assert html.unescape(posted).replace("\u200b", "") == f"*[acme] x*\n{text}"


@given(st.text(st.sampled_from("@:/][(<>&!|a"), max_size=20))
def test_no_text_makes_a_link_or_a_mention(text):
    escaped = webhook.escaped(text)
    assert not any(sign in escaped for sign in ("<", ">", "@a", "](", "][", "://"))
    assert html.unescape(escaped).replace("\u200b", "") == text
