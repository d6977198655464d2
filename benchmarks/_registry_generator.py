"""Snapshots of a registry as lake files, with churn, a purge and listings without codes: python -m benchmarks._registry_generator FOLDER ROWS FILES."""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from pathlib import Path

import numpy as np
import polars as pl

#: Parts of the run in which only the listing without codes could be had, as the simulator has them.
_WEB_STRETCHES = ((0.10, 0.20), (0.84, 0.92))
_PURGED_FRAC = 0.60
#: Shares of the registrations in a month: inscribed (and as many gone), of another status, with a corrected attribute.
_ENTERING_FRAC, _CHANGING_FRAC, _CORRECTED_FRAC = 0.007, 0.010, 0.001
#: Columns that only the map has.
_MAP_ONLY = ("reinfo_key", "inscription_year", "activity_code", "layer_updated_date")
_STATUS = np.array(["VIGENTE", "SUSPENDIDO"])


def _keys(prefix: str, count: int) -> np.ndarray:
    return np.array([hashlib.md5(f"{prefix}{i}".encode()).hexdigest() for i in range(count)])


def _places(draw: np.random.Generator) -> pl.DataFrame:
    """1,800 districts with their names and codes."""
    codes = [f"{d:02d}{p:02d}{s:02d}" for d in range(1, 25) for p in range(1, 10) for s in range(1, 10)][:1_800]
    return pl.DataFrame({"ubigeo_code": codes}).with_columns(
        ("DEPARTAMENTO " + pl.col("ubigeo_code").str.head(2)).alias("department_name"),
        ("PROVINCIA " + pl.col("ubigeo_code").str.head(4)).alias("province_name"),
        ("DISTRITO " + pl.col("ubigeo_code")).alias("district_name"),
        pl.col("ubigeo_code").str.head(2).alias("department_code"),
    )


def generate(folder: Path, rows: int, files: int) -> None:
    """Write `files` + 1 lake files of about `rows` rows each into folder/lake, and folder/places.parquet.

    The last file is the one to append. One file in the middle lists those alone whom a purge of 60 % left; they are
    back in the next, so that every file but it has the full size.
    """
    from pipelines import contracts, lake
    from pipelines.landing import OriginCard

    table = contracts.contract("reinfo__registrations")
    draw = np.random.default_rng(36)
    places = _places(draw)
    places.write_parquet(folder / "places.parquet")
    entering = round(rows * _ENTERING_FRAC)
    total = rows + entering * files
    people = _keys("person", round(total * 0.65))
    codes = _keys("code", total)
    holder = draw.integers(0, len(people), total)
    right = np.where(draw.random(total) < 0.15, -1, draw.integers(0, 20_000, total))
    # one in fifty shares person and right with the registration before it: the listing cannot tell them apart
    twin = np.flatnonzero(draw.random(total) < 0.02)
    holder[twin], right[twin] = holder[twin - 1], right[twin - 1]
    place = draw.integers(0, places.height, total)
    status = (draw.random(total) < 0.75).astype(int)
    year = draw.integers(2012, 2026, total)
    names = {c: places[c].to_numpy() for c in places.columns}
    listed = np.arange(total) < rows
    purge, web = files // 2, {i for i in range(files) for a, b in _WEB_STRETCHES if a <= (i + 0.5) / files < b}
    for i in range(files + 1):
        if i:
            gone = draw.choice(np.flatnonzero(listed), entering, replace=False)
            listed[gone] = False
            listed[rows + (i - 1) * entering : rows + i * entering] = True
            there = np.flatnonzero(listed)
            changed = draw.choice(there, round(rows * _CHANGING_FRAC), replace=False)
            status[changed] = 1 - status[changed]
            corrected = draw.choice(there, round(rows * _CORRECTED_FRAC), replace=False)
            place[corrected] = draw.integers(0, places.height, len(corrected))
        shown = np.flatnonzero(listed)
        if i == purge:
            suspended = shown[status[shown] == 1]
            shown = np.setdiff1d(shown, suspended[: round(len(shown) * _PURGED_FRAC)])
        shown = draw.permutation(shown)
        is_map = i not in web
        as_of = dt.date(2023 + i // 12, i % 12 + 1, 10)
        n = len(shown)
        at = place[shown]
        frame = (
            pl.DataFrame(
                {
                    "_row_number": np.arange(1, n + 1),
                    "party_key": people[holder[shown]],
                    "reinfo_key": codes[shown],
                    "right": right[shown],
                    "department_name": names["department_name"][at],
                    "province_name": names["province_name"][at],
                    "district_name": names["district_name"][at],
                    "status_code": _STATUS[status[shown]],
                    "inscription_year": year[shown],
                }
            )
            .with_columns(
                pl.col("_row_number").cast(pl.String).alias("source_row_id"),
                pl.lit("MAP" if is_map else "WEB").alias("layout_code"),
                pl.lit("DNI").alias("party_kind"),
                pl.when(pl.col("right") >= 0)
                .then("01" + pl.col("right").cast(pl.String).str.zfill(7))
                .alias("mining_right_id_ingemmet"),
                pl.lit(False).alias("mining_right_id_was_repaired"),
                ("DERECHO " + pl.col("right").cast(pl.String)).alias("mining_right_name"),
                (pl.col("right") < 0).alias("is_free_area"),
                pl.lit("EXPLOTACION").alias("activity_code"),
                pl.lit(as_of).alias("layer_updated_date"),
            )
            .with_columns(pl.when(is_map).then(pl.col(name)).alias(name) for name in _MAP_ONLY)
        )
        missing = [pl.lit(None).cast(c.dtype).alias(c.name) for c in table.columns if c.name not in frame.columns]
        sha = hashlib.sha256(f"file {i}".encode()).hexdigest()
        card = OriginCard(
            source="reinfo", filename=f"{i}", sha256=sha, bytes=0, producer="", origin="", licence="", attribution="", period=None,
            period_declared=False, source_as_of=as_of.isoformat(), retrieved_at="", landed_at=f"{as_of}T12:00:00", is_synthetic=True,
        )  # fmt: skip
        writer = lake.raw_writer(folder / "lake", table, card)
        typed = frame.with_columns(missing).select(
            *(pl.col(c.name).cast(c.dtype) for c in table.columns), pl.col("_row_number").cast(pl.Int64)
        )
        writer.write(typed)
        writer.commit()
        (folder / "lake" / "raw" / table.name / f"{sha}.parquet").rename(folder / f"{i:03d}.parquet")


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
