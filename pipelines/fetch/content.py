"""Is it what we asked for? Answers are judged by their content; status and content type are often wrong.

Each check gives a reason, or None when the file is as it should be.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from pipelines.fetch.http import first_words


def begins_with(data: bytes) -> str:
    """What an unexpected answer looks like, for a message."""
    if not data:
        return "is empty"
    is_page = re.match(rb"(?i)[\s\xef\xbb\xbf]*<(!doctype html|html)", data)
    return f"{'is a web page that begins' if is_page else 'begins'} with {first_words(data)!r}"


def read_json_object(data: bytes) -> dict[str, Any] | str:
    """The JSON object in an answer, or the reason why there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
            return f"is JSON that breaks off or is damaged after {len(data):,} bytes"
        return begins_with(data)
    return value if isinstance(value, dict) else begins_with(data)


def zip_problem(path: Path, member: str) -> str | None:
    """Why `path` is not a whole zip archive with a member whose name matches `member`.

    Only the directory at the archive's end is read, so that a truncated archive of 400 MB shows at once.
    """
    with open(path, "rb") as handle:
        head = handle.read(4096)
    if not head.startswith(b"PK"):
        return begins_with(head)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [m.filename for m in archive.infolist() if m.file_size]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        return f"is a zip archive that is cut or damaged ({error})"
    if not any(re.fullmatch(member, name) for name in names):
        return f"is a zip archive with {', '.join(names[:5]) or 'nothing'} in it"
    return None
