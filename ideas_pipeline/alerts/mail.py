"""An alert by e-mail, over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import SecretStr

from ideas_pipeline.alerts.messages import Alert
from ideas_pipeline.errors import NotDelivered
from ideas_pipeline.logs import logger
from ideas_pipeline.setting_types import LOOPBACK

_SECONDS = 10
_log = logger(__name__)


def send(server: SecretStr, sender: str, recipients: Sequence[str], alert: Alert) -> None:
    """Hand ``alert`` to the mail ``server`` (``smtp://user:password@host:587``, ``smtps://…``) for ``recipients``.

    The connection is encrypted, unless the server is on this machine. Raises NotDelivered if no recipient gets it.
    """
    mail = message(sender, recipients, alert)
    # smtplib's own messages are not repeated, because they quote users and recipients.
    try:
        with _connected(urlsplit(server.get_secret_value())) as connection:
            refused = connection.send_message(mail, sender, list(recipients))
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(
            f"the mail server refused the user and password of IDEAS_SMTP_URL (status {error.smtp_code})."
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        status = next(iter(error.recipients.values()))[0]
        raise NotDelivered(f"the mail server refused every address of IDEAS_ALERT_EMAILS (status {status}).") from None
    except smtplib.SMTPSenderRefused as error:
        raise NotDelivered(f"the mail server refused IDEAS_ALERT_FROM (status {error.smtp_code}).") from None
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"the mail server refused the message (status {error.smtp_code}).") from None
    except smtplib.SMTPNotSupportedError:
        raise NotDelivered(
            "the mail server does not accept a log-in, but IDEAS_SMTP_URL has a user and password."
        ) from None
    except ssl.SSLCertVerificationError:
        raise NotDelivered(
            "the mail server's certificate cannot be verified. If your own authority signed it, set SSL_CERT_FILE."
        ) from None
    # UnicodeError: an impossible host name, such as one with two consecutive dots.
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            raise NotDelivered(f"the mail server did not answer within {_SECONDS} seconds.") from None
        raise NotDelivered(
            "the mail server cannot be reached. Check IDEAS_SMTP_URL (smtps:// is for port 465, smtp:// for 587)."
        ) from None
    if refused:
        _log.warning(f"The mail server refused {len(refused)} of {len(recipients)} addresses of IDEAS_ALERT_EMAILS.")


def message(sender: str, recipients: Sequence[str], alert: Alert) -> EmailMessage:
    """``alert`` as a mail."""
    mail = EmailMessage()
    mail["Subject"] = alert.subject.replace("=?", "= ?")  # otherwise it is read as an encoded word (RFC 2047 §2)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail.set_content(alert.text)
    return mail


@contextmanager
def _connected(url: SplitResult) -> Iterator[smtplib.SMTP]:
    host, user = url.hostname or "", unquote(url.username or "")
    context = ssl.create_default_context()
    connection: smtplib.SMTP
    if url.scheme == "smtps":
        connection = smtplib.SMTP_SSL(host, url.port or smtplib.SMTP_SSL_PORT, timeout=_SECONDS, context=context)
    else:
        connection = smtplib.SMTP(host, url.port or 587, timeout=_SECONDS)
    try:
        connection.ehlo()
        if url.scheme == "smtp":
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
            elif host not in LOOPBACK:
                raise NotDelivered("the mail server offers no encryption (STARTTLS), so nothing was sent.")
        if user:
            _log_in(connection, user, unquote(url.password or ""))
        yield connection
        # The message is accepted by now; an error while closing the session changes nothing.
        with suppress(OSError):
            connection.quit()
    finally:
        connection.close()


def _log_in(connection: smtplib.SMTP, user: str, password: str) -> None:
    try:
        connection.login(user, password)
    except UnicodeEncodeError:  # smtplib encodes both as ASCII
        raise NotDelivered(
            "user or password of IDEAS_SMTP_URL has non-ASCII letters, and the log-in allows ASCII only. Give the "
            "mailbox an ASCII password."
        ) from None
