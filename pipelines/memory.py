"""How much memory DuckDB may take, the same for the build, for dbt and for who asks."""

from __future__ import annotations

from pipelines.settings import SIZE, get_settings, size

#: Of a limit, what DuckDB is told: it counts its pages, and takes a quarter more than them when it works at its limit.
_COUNTED_FRAC = 0.9


def limits(memory_limit: str | None = None) -> dict[str, str]:
    """DuckDB's settings for a limit such as `2GB`; without one, that of the settings, and none if there is none.

    What DuckDB gave back stays with its allocator by hundreds of MB, unless that is told to let go.

    Raises:
        ValueError: the limit is no size.
    """
    limit = memory_limit or get_settings().memory_limit
    if not limit:
        return {}
    return {
        "memory_limit": _counted(limit),
        "allocator_flush_threshold": "16MB",
        "allocator_bulk_deallocation_flush_threshold": "16MB",
    }


def _counted(limit: str) -> str:
    number, unit = SIZE.fullmatch(size(limit)).groups()
    return f"{float(number) * _COUNTED_FRAC:g}{unit}"
