"""One operator's history as a person reads it: what the registry showed and which steps were taken, day by day."""

from __future__ import annotations

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.asking import connect
from pipelines.errors import AntawasiError
from pipelines.settings import Settings

_CHANGES = {
    "new": "first listed",
    "status_change": "status",
    "attribute_change": "attributes corrected",
    "vanished": "no longer listed",
    "reappeared": "listed again",
}
_STATES = """
    SELECT registration_key, valid_from AS day, changed_after, change_type, registry_state, department_code, is_synthetic
    FROM marts.dim_registration
    WHERE registration_key = $key OR party_key = $key
    ORDER BY registration_key, valid_from
"""
_STEPS = """
    SELECT reinfo_key, event_date, date_precision_code, step_code, outcome_code, authority_code, is_synthetic
    FROM staging.stg_partner_step_events__events
    WHERE is_current AND (reinfo_key = $key OR party_key = $key)
    ORDER BY reinfo_key, event_date, event_id
"""


def operator(settings: Settings, key: str, out: Console) -> None:
    """Print the timeline of a party or of one registration.

    Raises:
        AntawasiError: no registration has that key.
    """
    connection = connect(settings)
    try:
        states, steps = (_rows(connection, sql, key) for sql in (_STATES, _STEPS))
    finally:
        connection.close()
    if not states and not steps:
        raise AntawasiError(
            f"No registration or party has the key {key}. What to do: `antawasi identity find RUC|DNI|CODE` gives the key."
        )
    for registration in sorted({row[0] for row in (*states, *steps) if row[0]}):
        _print(
            registration, [r for r in states if r[0] == registration], [r for r in steps if r[0] == registration], out
        )


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, key: str) -> list[tuple]:
    return connection.execute(sql, {"key": key}).fetchall()


def _print(registration: str, states: list[tuple], steps: list[tuple], out: Console) -> None:
    """States and steps of one registration in the order of their days."""
    told: list[tuple[str, str, str]] = []
    for _, day, after, change, state, department, _ in states:
        when = f"after {after}, by {day}" if after else f"by {day}"
        told.append(
            (str(day), when, f"[bold]{state}[/bold] ({_CHANGES[change]}; department {department or 'not known'})")
        )
    for _, day, precision, step, outcome, authority, _ in steps:
        shown = {"ANIO": f"{day:%Y}", "MES": f"{day:%Y-%m}"}.get(precision, str(day))
        told.append((str(day), shown, f"{escape(step)} {outcome.lower()} ({authority})"))
    title = f"Registration {registration}"
    if any(row[-1] for row in (*states, *steps)):
        title += " · DATOS SIMULADOS / SIMULATED"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for _, when, what in sorted(told, key=lambda row: row[0]):
        table.add_row(when, what)
    out.print(table)
