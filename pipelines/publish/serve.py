"""The site of the last release on this machine alone: loopback, read only, until it is interrupted."""

from __future__ import annotations

import functools
import http.server
from pathlib import Path

from pipelines.errors import AntawasiError

LOOPBACK = "127.0.0.1"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are nobody's business."""


def server(releases: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of `releases/latest`, listening; `serve_forever` serves it. Port 0 takes a free one.

    Raises:
        AntawasiError: there is no release yet, or the port is taken.
    """
    latest = releases / "latest"
    if not latest.exists():
        raise AntawasiError("There is no release yet. What to do: run `antawasi run` first.")
    handler = functools.partial(_Quiet, directory=str(latest.resolve()))
    try:
        return http.server.ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise AntawasiError(
            f"Port {port} cannot be used ({error.strerror}). What to do: give another one with --port."
        ) from error
