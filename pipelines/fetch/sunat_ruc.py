"""SUNAT's reduced taxpayer roll: one zip of about 400 MB, renewed every day, on a server that cuts connections."""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.fetch.content import begins_with, zip_problem
from pipelines.fetch.http import http_date
from pipelines.fetch.model import LIMA, Desk, NotModified, Publisher, Retrieved

ADDRESS = "http://www2.sunat.gob.pe/padron_reducido_ruc.zip"
FILENAME = "padron_reducido_ruc.zip"
MEMBER = r"(?i)[^/]*padron_reducido_ruc[^/]*\.txt"
MAX_BYTES = 2 << 30


def collect(desk: Desk, address: str) -> Iterator[Retrieved | NotModified]:
    """The roll as SUNAT packs it. It carries no date: the server's Last-Modified, as a day in Lima, stands for it."""
    roll = desk.download(
        address, FILENAME, check=problem, expected="a zip archive with padron_reducido_ruc.txt", max_bytes=MAX_BYTES
    )
    if isinstance(roll, Retrieved) and roll.validators:
        changed = http_date(roll.validators.last_modified)
        roll = dataclasses.replace(roll, source_as_of=changed.astimezone(LIMA).date().isoformat() if changed else None)
    yield roll


def problem(path: Path) -> str | None:
    """Why the file is not the roll: its directory and the roll's first line are looked at, not its 1.5 GB."""
    if reason := zip_problem(path, MEMBER):
        return reason
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(m.filename for m in archive.infolist() if m.file_size and m.filename.lower().endswith(".txt"))
            with archive.open(name) as member:
                line = member.readline(4096)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError) as error:
        return f"is a zip archive that cannot be unpacked ({error})"
    return None if line.startswith(b"RUC|") else f"holds a text that {begins_with(line)}, without the heading RUC|..."


PUBLISHER = Publisher("sunat_ruc", ADDRESS, collect)
