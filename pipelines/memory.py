"""How much memory DuckDB may take, the same for the build, for dbt and for who asks."""

from __future__ import annotations

import os
import re


def size(told: str) -> str:
    """A size as DuckDB reads it.

    Raises:
        ValueError: `told` is none; what is expected.
    """
    if not re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)? ?[KMGT]i?B", told):
        raise ValueError(f"{told!r} is no size. What to do: give a number and its unit, such as 2GB or 500MB.")
    return told


def limits(memory_limit: str | None = None) -> dict[str, str]:
    """DuckDB's settings for a limit such as `2GB`; without one, that of `ANTAWASI_MEMORY_LIMIT`, and none if there is none.

    DuckDB counts what it uses. What it gave back stays with its allocator by hundreds of MB, unless that is told to let go.
    """
    limit = memory_limit or os.environ.get("ANTAWASI_MEMORY_LIMIT")
    if not limit:
        return {}
    return {
        "memory_limit": limit,
        "allocator_flush_threshold": "16MB",
        "allocator_bulk_deallocation_flush_threshold": "16MB",
    }
