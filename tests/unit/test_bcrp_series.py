import datetime as dt
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import lake
from pipelines.errors import FileRefused
from pipelines.sources import bcrp_series as source
from tests.conftest import FIXTURES, SAMPLE_DIR

SAMPLES = SAMPLE_DIR / "bcrp_series"
BUY, SELL = "TC Sistema bancario SBS (S/ por US$) - Compra", "TC Sistema bancario SBS (S/ por US$) - Venta"
MONTHS = ("Ene", "Feb", "Mar", "Abr", "May", "Jun", "Jul", "Ago", "Set", "Oct", "Nov", "Dic")


def answer(path, series, periods):
    body = {
        "config": {"title": "x", "series": [{"name": n, "dec": "3"} for n in series]},
        "periods": [{"name": n, "values": v} for n, v in periods],
    }
    path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    return path


def parsed(path, context):
    (batch,) = source.parse(path, context)
    return batch.tables[source.TABLE]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("25.Set.26", ("D", dt.date(2026, 9, 25))),
        ("02.Ene.97", ("D", dt.date(1997, 1, 2))),
        ("31.Dic.20", ("D", dt.date(2020, 12, 31))),
        ("Sep.2018", ("M", dt.date(2018, 9, 1))),
        ("Ene.2026", ("M", dt.date(2026, 1, 1))),
        ("31.Feb.26", None),
        ("T1.20", None),
        ("2026-01-02", None),
    ],
)
def test_period_names(name, expected):
    assert source.period_of(name) == expected


@given(st.dates(dt.date(1950, 1, 1), dt.date(2049, 12, 31)))
def test_every_day_is_read_back(day):
    assert source.period_of(f"{day.day:02d}.{MONTHS[day.month - 1]}.{day.year % 100:02d}") == ("D", day)


def test_real_rows_from_1997_to_2026():
    rows = [
        json.loads(line)
        for line in (FIXTURES / "bcrp_series" / "fx_daily_rows_1997_2026.jsonl").read_text().splitlines()
    ]
    assert [source.period_of(r["name"])[1].year for r in rows] == [1997, 2020, 2026, 2026]


def test_series_are_matched_by_name_in_any_order(tmp_path, context):
    for names, values in (((BUY, SELL), ["3.375", "3.387"]), ((SELL, BUY), ["3.387", "3.375"])):
        frame = parsed(answer(tmp_path / "a.json", names, [("15.Jun.26", values)]), context)
        assert dict(zip(frame["series_code"], frame["value"], strict=True)) == {
            "PD04639PD": "3.375",
            "PD04640PD": "3.387",
        }


def test_real_answers(take, zones):
    daily = take("bcrp_series", SAMPLES / "fx_daily_2026-06-15_2026-06-22.json")
    assert daily.accepted[source.TABLE] == 10 and daily.source_as_of == "2026-06-18"
    frame = pl.read_parquet(lake.raw_path(zones.lake, source.TABLE, daily.sha256))
    assert frame.filter(pl.col("period_date") == dt.date(2026, 6, 19))["value"].null_count() == 2
    monthly = take("bcrp_series", SAMPLES / "fx_monthly_PN01207PM.json")
    assert monthly.source_as_of == "2026-02-28"
    copper = take("bcrp_series", SAMPLES / "copper_daily_PD04701XD_2015-01_excerpt.csv")
    assert copper.accepted[source.TABLE] == 20 and copper.rejections == ()


def test_a_page_with_status_200_is_refused(tmp_path, context):
    path = tmp_path / "a.json"
    path.write_text("\ufeff\n<!DOCTYPE html><html><body>Request Rejected</body></html>", encoding="utf-8")
    with pytest.raises(FileRefused, match="web page"):
        parsed(path, context)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"periods": []}', "not an answer"),
        ("[1, 2]", "not an answer"),
        ('{"config": {"series": [{"name": "Oro"}]}, "periods": []}', "series 'Oro' is not known"),
        ("{" * 100_000, "not an answer"),
        ("codigo_serie;valor\n", "separated by ';'"),
        ("codigo_serie,nombre_serie,fecha_bcrp,valor\nXX,y,01.Ene.15,1\n", "line 2, column codigo_serie"),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path, context, body, told):
    path = tmp_path / "a"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(FileRefused, match=told):
        parsed(path, context)


def test_a_period_with_missing_values_is_rejected_whole(tmp_path, context):
    frame = parsed(
        answer(tmp_path / "a.json", (BUY, SELL), [("15.Jun.26", ["3.3"]), ("16.Jun.26", ["3.3", "3.4"])]), context
    )
    assert frame["_problem"].is_not_null().to_list() == [True, True, False, False]
