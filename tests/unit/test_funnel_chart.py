"""What the funnel's asset shows: one panel for measured and one for simulated data, no zero where nobody told."""

from __future__ import annotations

import base64
import re

import duckdb
import polars as pl
import pytest

from pipelines import funnel_chart


@pytest.fixture
def warehouse():
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE SCHEMA marts; CREATE SCHEMA reference")
    connection.execute(
        "CREATE TABLE marts.mart_formalization_funnel (is_synthetic BOOLEAN, month DATE, milestone_code VARCHAR, "
        "department_code VARCHAR, has_reports BOOLEAN, eligible_registration_count BIGINT, reached_registration_count BIGINT)"
    )
    connection.execute(
        "CREATE TABLE reference.formalization_milestones AS SELECT * FROM (VALUES ('B', 'Segundo', 2, 1), ('A', 'Primero', 1, 2)) "
        "AS t (milestone_code, name_es, milestone_order, blocking_order)"
    )
    return connection


def test_the_last_month_is_summed_over_reporting_departments(warehouse):
    warehouse.execute(
        "INSERT INTO marts.mart_formalization_funnel VALUES "
        "(true, '2025-01-01', 'A', '04', true, 9, 9), "  # not the last month
        "(true, '2025-02-01', 'A', '04', true, 4, 3), (true, '2025-02-01', 'A', '03', true, 6, 2), "
        "(true, '2025-02-01', 'A', '11', false, 10, 0), (true, '2025-02-01', 'B', '04', true, 4, 1), "
        "(false, '2021-06-01', 'A', '04', false, 30, 0), (false, '2021-06-01', 'B', '04', false, 30, 0)"
    )
    shares = funnel_chart.last_shares(warehouse)
    assert shares.rows() == [
        ("Datos medidos", "2021-06", "Primero", 30, 0, None),
        ("Datos medidos", "2021-06", "Segundo", 30, 0, None),
        ("Datos simulados, no medidos", "2025-02", "Primero", 20, 5, 0.5),
        ("Datos simulados, no medidos", "2025-02", "Segundo", 4, 1, 0.25),
    ]
    told = funnel_chart.markdown(shares)
    assert "| Datos medidos | 2021-06 | Primero | 30 | 0 | sin informes |" in told
    assert "| Datos simulados, no medidos | 2025-02 | Segundo | 4 | 1 | 25.0 |" in told
    picture = re.search(r"data:image/svg\+xml;base64,([^)]+)\)", told)
    assert picture
    svg = base64.b64decode(picture[1]).decode()
    assert "Datos simulados, no medidos, 2025-02" in svg
    assert "Datos medidos, 2021-06, sin informes" in svg


def test_a_house_without_registry_files_says_so(warehouse):
    shares = funnel_chart.last_shares(warehouse)
    assert shares.schema["share_frac"] == pl.Float64
    assert funnel_chart.markdown(shares) == "Sin inscripciones: no hay archivos del registro."
