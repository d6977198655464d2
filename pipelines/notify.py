"""Telling somebody that a run failed or a source is stale: a webhook, a mail, or both, as the settings say.

A notice must never break what it reports on, so nothing here raises. Numbers that could identify a person
are masked in what leaves the house.
"""

from __future__ import annotations

import email.message
import logging
import smtplib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines import identity

if TYPE_CHECKING:
    from pipelines.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
ATTEMPTS = 3


def notify(
    settings: Settings, title: str, body: str, *, run_id: str = "", sleep: Callable[[float], None] = time.sleep
) -> tuple[str, ...]:
    """Send a notice through every channel that is configured. Identities in it are masked, but not in `run_id`, which heads
    the body: Dagster draws it at random, and eight digits in a row would be taken for a DNI.

    The webhook gets JSON `{"title", "body", "text"}` (`text` is what chat services show); the mail goes in
    plain text through `smtp_host` to everyone in `smtp_to`.

    Returns:
        The channels that took the notice: "webhook", "mail", both or none. A channel that fails is tried
        again, then logged without its address, which may hold a secret.
    """
    title, body = " ".join((identity.mask(title) or "").split()), identity.mask(body) or ""
    body = f"Run {run_id}: {body}" if run_id else body
    channels: list[tuple[str, str, Callable[[], None]]] = []  # name, setting to look at, sender
    if settings.webhook_url:
        url = settings.webhook_url
        channels.append(("webhook", "WEBHOOK_URL", lambda: _post(url, title, body)))
    if settings.smtp_host and settings.smtp_to:
        channels.append(("mail", "SMTP_HOST", lambda: _mail(settings, title, body)))
    return tuple(name for name, setting, send in channels if _delivered(name, setting, send, sleep))


def try_channels(settings: Settings) -> dict[str, str]:
    """Each configured channel with what is wrong with it, "" if nothing; no notice is sent.

    The mail server is asked whether it takes mail from us for every receiver; of the web hook only that it answers
    can be told. Nothing that comes back holds the web hook's address, which may be a secret.
    """
    problems = {}
    if settings.webhook_url:
        problems["webhook"] = _problem(lambda: _reach(str(settings.webhook_url)))
    if settings.smtp_host and settings.smtp_to:
        problems["mail"] = _problem(lambda: _offer(settings))
    return problems


def _problem(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except smtplib.SMTPRecipientsRefused as error:
        return f"refuses mail for {', '.join(error.recipients)}"
    except Exception as error:  # the doctor tells it; its text may hold the address
        return type(error).__name__
    return ""


def _reach(url: str) -> None:
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)
    if httpx.head(url, timeout=TIMEOUT_S).is_server_error:
        raise ConnectionError


def _offer(settings: Settings) -> None:
    """Everything of a delivery but the message."""
    assert settings.smtp_host
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S) as server:
        server.ehlo_or_helo_if_needed()
        code, said = server.mail(settings.smtp_from)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, said, settings.smtp_from)
        answers = {to: server.rcpt(to) for to in settings.smtp_to}
        server.rset()
        if refused := {to: answer for to, answer in answers.items() if answer[0] not in (250, 251)}:
            raise smtplib.SMTPRecipientsRefused(refused)


def _delivered(name: str, setting: str, send: Callable[[], None], sleep: Callable[[float], None]) -> bool:
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(2.0**attempt)
        try:
            send()
            return True
        except Exception as error:  # whatever it is, the run's own failure matters more
            problem = type(error).__name__
    log.error(
        "The notice by %s was not delivered (%s, %d attempts). What to do: check ANTAWASI_%s.",
        name, problem, ATTEMPTS, setting,
    )  # fmt: skip
    return False


def _post(url: str, title: str, body: str) -> None:
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes the whole address, secret included
    notice = {"title": title, "body": body, "text": f"{title}\n{body}"}
    httpx.post(url, json=notice, timeout=TIMEOUT_S).raise_for_status()


def _mail(settings: Settings, title: str, body: str) -> None:
    message = email.message.EmailMessage()
    message["Subject"] = f"[Antawasi] {title}"
    message["From"] = settings.smtp_from
    message["To"] = ", ".join(settings.smtp_to)
    message.set_content(body)
    assert settings.smtp_host
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S) as server:
        server.send_message(message)
