from __future__ import annotations

import logging
import socket
import ssl
import traceback
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from ideas_pipeline.alerts import mail
from ideas_pipeline.alerts.messages import Alert
from ideas_pipeline.errors import NotDelivered
from ideas_pipeline_tests.alerts.servers import USER_AND_PASSWORD, mail_server
from ideas_pipeline_tests.processes import free_port

ALERT = Alert("[acme] nightly_sync failed", "Comments: none of 30 lists – at all.\n\nDo this.")
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # that is what is tested
FROM, TO = "canary-from@example.com", ["canary-ann@example.com", "canary-ben@example.com"]


def send(url: str) -> None:
    mail.send(SecretStr(url), FROM, TO, ALERT)


def refusal(url: str) -> str:
    with pytest.raises(NotDelivered) as caught:
        send(url)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server on this machine, signed by an authority that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "127.0.0.2").configure_cert(context)
    return context


def test_an_alert_is_one_mail_to_all(caplog: pytest.LogCaptureFixture) -> None:
    with mail_server() as server, caplog.at_level(logging.DEBUG, logger="ideas_pipeline"):
        send(f"smtp://127.0.0.1:{server.port}")

    (message,) = server.mails
    assert server.recipients == [TO]
    assert message["Subject"] == ALERT.subject
    assert (message["From"], message["To"]) == (FROM, ", ".join(TO))
    assert message["Date"]
    assert message.get_content().splitlines() == ALERT.text.splitlines()
    assert "canary" not in caplog.text


def test_a_mail_that_was_taken_is_sent_whatever_the_server_says_at_parting() -> None:
    with mail_server() as server:
        server.farewell = "421 too busy to say goodbye"
        send(f"smtp://127.0.0.1:{server.port}")
    assert len(server.mails) == 1


def test_a_server_that_offers_encryption_gets_user_and_password_over_that_alone(certificate: ssl.SSLContext) -> None:
    with mail_server(password=True, starttls=certificate) as server:
        send(f"smtp://{USER_AND_PASSWORD}@127.0.0.2:{server.port}")

    assert server.encrypted == [True]


def test_smtps_is_encrypted_from_the_first_byte(certificate: ssl.SSLContext) -> None:
    with mail_server(tls=certificate) as server:
        send(f"smtps://127.0.0.1:{server.port}")

    assert server.encrypted == [True]


def test_another_machine_that_offers_no_encryption_is_sent_nothing() -> None:
    with mail_server(password=True) as server:
        message = refusal(f"smtp://{USER_AND_PASSWORD}@127.0.0.2:{server.port}")

    assert message == "the mail server offers no encryption (STARTTLS), so nothing was sent."
    assert server.mails == []


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with mail_server(starttls=certificate) as server:
        assert "certificate cannot be verified" in refusal(f"smtp://127.0.0.1:{server.port}")


def test_a_wrong_password_is_reported_without_it() -> None:
    with mail_server(password=True) as server:
        message = refusal(f"smtp://canary-user:canary-wrong@127.0.0.1:{server.port}")

    assert "refused the user and password of IDEAS_SMTP_URL (status 535)" in message


def test_a_password_with_an_accent_is_reported_as_unusable_without_it() -> None:
    with mail_server(password=True) as server:
        message = refusal(f"smtp://canary-user:canary-p%C3%A4ss@127.0.0.1:{server.port}")

    assert "IDEAS_SMTP_URL has non-ASCII letters" in message


@pytest.mark.parametrize("host", ["mail..example.com", "m" * 64 + ".example.com"])
def test_a_host_that_there_cannot_be_is_a_sentence(host: str) -> None:
    assert "the mail server cannot be reached. Check IDEAS_SMTP_URL" in refusal(f"smtp://{host}")


def test_a_password_that_is_missing_is_reported() -> None:
    with mail_server(password=True) as server:
        assert "(status 530)" in refusal(f"smtp://127.0.0.1:{server.port}")


def test_addresses_that_are_all_refused_are_reported_by_the_setting() -> None:
    with mail_server() as server:
        server.refused = set(TO)
        assert "every address of IDEAS_ALERT_EMAILS (status 550)" in refusal(f"smtp://127.0.0.1:{server.port}")


def test_an_address_that_is_refused_keeps_the_mail_from_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    with mail_server() as server:
        server.refused = {TO[0]}
        send(f"smtp://127.0.0.1:{server.port}")

    assert server.recipients == [TO[1:]]
    assert "refused 1 of 2 addresses of IDEAS_ALERT_EMAILS" in caplog.text
    assert "canary" not in caplog.text


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = refusal(f"smtp://127.0.0.1:{silent.getsockname()[1]}")

    assert "did not answer within" in message


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    assert "cannot be reached" in refusal(f"smtp://127.0.0.1:{free_port()}")
