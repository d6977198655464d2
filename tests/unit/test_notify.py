"""Notices, against a web hook and a mail server on loopback."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from pipelines import notify as notices
from pipelines.notify import ATTEMPTS
from pipelines.settings import Settings
from tests.servers import SECRET, Hook, MailServer


def settings(tmp_path: Path, hook: Hook | None = None, mail: MailServer | None = None, **more) -> Settings:
    given = {"home": tmp_path, "webhook_url": hook.url if hook else None}
    if mail:
        given |= {"smtp_host": "127.0.0.1", "smtp_port": mail.server_address[1]}
        given |= {"smtp_to": ("a@example.org", "b@example.org")}
    return Settings(**given | more)


def notify(settings: Settings, title: str = "El paso falló", body: str = "Línea 1\nLínea 2") -> tuple[str, ...]:
    return notices.notify(settings, title, body, sleep=lambda _: None)


def test_both_channels_get_the_text(tmp_path: Path, hook: Hook, mail: MailServer):
    assert notify(settings(tmp_path, hook, mail, smtp_from="casa@example.org")) == ("webhook", "mail")
    assert hook.received == [
        {"title": "El paso falló", "body": "Línea 1\nLínea 2", "text": "El paso falló\nLínea 1\nLínea 2"}
    ]
    assert mail.envelopes == [("casa@example.org", ["a@example.org", "b@example.org"])]
    (message,) = mail.messages
    assert message["Subject"] == "[Antawasi] El paso falló" and message["To"] == "a@example.org, b@example.org"
    assert message.get_content().splitlines() == ["Línea 1", "Línea 2"]


def test_nothing_configured_sends_nothing(tmp_path: Path):
    assert notify(settings(tmp_path)) == ()


def test_a_mail_server_without_receivers_is_not_configured(
    tmp_path: Path, mail: MailServer, caplog: pytest.LogCaptureFixture
):
    assert notify(settings(tmp_path, None, mail, smtp_to=())) == ()
    assert not mail.envelopes and not caplog.records


def test_passing_troubles_are_tried_again(tmp_path: Path, hook: Hook, mail: MailServer):
    hook.statuses, mail.refuses = [503, 500], 1
    assert notify(settings(tmp_path, hook, mail)) == ("webhook", "mail")
    assert len(hook.received) == 3 and len(mail.messages) == 1


def test_a_dead_channel_is_logged_and_the_other_still_used(
    tmp_path: Path, hook: Hook, mail: MailServer, caplog: pytest.LogCaptureFixture
):
    hook.statuses = [500] * ATTEMPTS
    with caplog.at_level(logging.DEBUG):
        assert notify(settings(tmp_path, hook, mail)) == ("mail",)
    assert "by webhook was not delivered (HTTPStatusError, 3 attempts)" in caplog.text
    assert "ANTAWASI_WEBHOOK_URL" in caplog.text
    assert SECRET not in caplog.text, "the address of a web hook is a secret"


def test_nobody_listening_never_raises(tmp_path: Path):
    mail = {"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_to": ("a@example.org",)}
    assert notify(Settings(home=tmp_path, webhook_url="http://127.0.0.1:1/x", **mail)) == ()


@pytest.mark.parametrize("url", ["no address at all", "http://[", "file:///etc/hosts"])
def test_a_senseless_address_never_raises(tmp_path: Path, url: str):
    assert notify(Settings(home=tmp_path, webhook_url=url)) == ()


def test_a_title_of_several_lines_cannot_add_headers(tmp_path: Path, mail: MailServer):
    assert notify(settings(tmp_path, None, mail), title="fallo\r\nBcc: x@example.org") == ("mail",)
    assert mail.messages[0]["Subject"] == "[Antawasi] fallo Bcc: x@example.org" and mail.messages[0]["Bcc"] is None


def test_identities_do_not_leave(tmp_path: Path, hook: Hook, mail: MailServer):
    notify(settings(tmp_path, hook, mail), title="RUC 10456789123", body="DNI 45678912, placa ABC-123")
    sent = json.dumps(hook.received) + mail.messages[0].as_string()
    assert not any(secret in sent for secret in ("456789", "ABC-123"))


def test_the_number_of_a_run_stands_as_dagster_knows_it(tmp_path: Path, hook: Hook, mail: MailServer):
    run_id = "6d2a418b-7a4f-4fac-8276-fd5a00076288"
    notices.notify(settings(tmp_path, hook, mail), "failed", "DNI 45678912", run_id=run_id, sleep=lambda _: None)
    (told,) = hook.received
    assert f"Run {run_id}: " in told["body"] and "45678912" not in told["body"]
