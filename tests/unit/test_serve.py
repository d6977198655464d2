"""The site on loopback: the released bytes, nothing above them, nobody else's machine."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import AntawasiError
from pipelines.publish import serve


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    version = tmp_path / "releases" / "v2025.01.1"
    version.mkdir(parents=True)
    (version / "index.html").write_text("<h1>cobre</h1>", encoding="utf-8")
    (version.parent / "secret.txt").write_text("no", encoding="utf-8")
    (version.parent / "latest").symlink_to(version.name)
    return version.parent


@pytest.fixture
def address(releases: Path) -> Iterator[str]:
    with serve.server(releases, 0) as served:
        assert served.server_address[0] == "127.0.0.1"
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def test_it_serves_the_latest_release(address):
    with urllib.request.urlopen(f"{address}/") as answer:
        assert answer.read() == b"<h1>cobre</h1>"


def test_nothing_beside_the_release_is_served(address):
    for path in ("/../secret.txt", "/%2e%2e/secret.txt"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + path)


def test_a_port_that_is_taken_and_no_release_are_told(releases, tmp_path):
    with serve.server(releases, 0) as first, pytest.raises(AntawasiError, match="--port"):
        serve.server(releases, first.server_port)
    with pytest.raises(AntawasiError, match="There is no release yet"):
        serve.server(tmp_path / "empty", 0)
