"""Notices, against a web hook and a mail server on loopback."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipelines import notify as notices
from pipelines.notify import ATTEMPTS
from pipelines.settings import Settings

SECRET = "T000-hook-secret"


class Hook(HTTPServer):
    def __init__(self):
        self.statuses: list[int] = []
        self.received: list[dict] = []
        super().__init__(("127.0.0.1", 0), _HookHandler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{SECRET}"


class _HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(sent))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class MailServer(socketserver.TCPServer):
    """Just enough SMTP to take a message; `refuses` answers 451 to the first greetings, `refused` are receivers not taken."""

    def __init__(self):
        self.refuses = 0
        self.refused: set[str] = set()
        self.envelopes: list[tuple[str, list[str]]] = []
        self.messages: list[email.message.EmailMessage] = []
        super().__init__(("127.0.0.1", 0), _MailHandler)


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self) -> None:
        if self.server.refuses:
            self.server.refuses -= 1
            self.say("451 busy")
            return
        self.say("220 test")
        sender, receivers = "", []
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("MAIL FROM:"):
                sender = line[10:].split(">")[0].strip("< ")
            elif verb.startswith("RCPT TO:"):
                receivers.append(line[8:].strip("<> "))
                if receivers[-1] in self.server.refused:
                    self.say("550 no such user")
                    continue
            elif verb == "DATA":
                self.say("354 go on")
                content = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    content += part
                self.server.envelopes.append((sender, receivers))
                self.server.messages.append(email.message_from_bytes(content, policy=email.policy.default))
            elif verb == "QUIT":
                self.say("221 bye")
                return
            self.say("250 ok")


def running(server: socketserver.BaseServer) -> Iterator:
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield from running(Hook())


@pytest.fixture
def mail() -> Iterator[MailServer]:
    yield from running(MailServer())


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
