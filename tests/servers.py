"""A web hook and a mail server on loopback, which keep what they get."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

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
