"""Which public files of the registry there are, month by month, and what each of them shows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipelines.simulator.dice import stream
from pipelines.simulator.parameters import Strict
from pipelines.simulator.reinfo_files import COLUMNS

#: Runs of fewer months have whole files alone.
_LEAST_MONTHS = 12


class SnapshotParameters(Strict):
    """Counts hold for `whole_run` months and follow the run's length, but are one at least in a year or more."""

    whole_run: int = Field(gt=0)
    missing: int = Field(ge=0)
    stale: int = Field(ge=0)
    partial: int = Field(ge=0)
    partial_loss: float = Field(gt=0, lt=1)
    web_stretches: tuple[tuple[float, float], ...]
    shuffled: float = Field(ge=0, le=1)
    as_of_day: tuple[int, int]
    misspelt: float = Field(ge=0, le=1)
    mended: tuple[dt.date, dt.date]
    without_position: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _sound(self) -> SnapshotParameters:
        if not 1 <= self.as_of_day[0] <= self.as_of_day[1] <= 28:
            raise ValueError(f"as_of_day {self.as_of_day} are no days that every month has")
        if any(not 0 <= first < last <= 1 for first, last in self.web_stretches):
            raise ValueError("web_stretches must be parts of the run such as [0.3, 0.4]")
        return self


def plan_snapshots(
    p: SnapshotParameters, rng: np.random.Generator, months: tuple[dt.date, ...], purge: dt.date
) -> pl.DataFrame:
    """The file of each month in order: month, as_of, layout, format, kind, is_renamed, is_shuffled, cut_by.

    A STALE file repeats the map of the month before and its date. The first and last months and those around the purge
    are whole, so that what happens there can be seen.
    """
    n = len(months)
    at = (np.arange(n) + 0.5) / n
    is_web = np.zeros(n, dtype=bool)
    if n >= _LEAST_MONTHS:
        for first, last in p.web_stretches:
            is_web |= (at >= first) & (at < last)
    days = rng.integers(p.as_of_day[0], p.as_of_day[1] + 1, n)
    as_of = [month.replace(day=int(day)) for month, day in zip(months, days, strict=True)]
    kinds = _kinds(p, rng, months, purge, is_web)
    formats, shuffled, cut = rng.integers(0, 2, n), rng.random(n) < p.shuffled, rng.permutation(n) % 2
    listings = np.flatnonzero(is_web & (kinds != "MISSING"))
    renamed_at = int(listings[0]) if len(listings) else -1
    rows = []
    for i in range(n):
        kind = str(kinds[i])
        is_renamed = i == renamed_at
        is_csv = bool(is_web[i]) and (is_renamed or formats[i] == 0)
        rows.append(
            {
                "month": months[i],
                "as_of": None if kind == "MISSING" else as_of[i - 1] if kind == "STALE" else as_of[i],
                "layout": "WEB" if is_web[i] else "MAP",
                "format": "json" if not is_web[i] else "csv" if is_csv else "xlsx",
                "kind": kind,
                "is_renamed": is_renamed,
                "is_shuffled": bool(is_csv and shuffled[i]),
                "cut_by": ("DEPARTMENT", "RANDOM")[cut[i]] if kind == "PARTIAL" else None,
            }
        )
    return pl.DataFrame(rows, schema=_SCHEMA)


_SCHEMA = {
    "month": pl.Date, "as_of": pl.Date, "layout": pl.String, "format": pl.String, "kind": pl.String,
    "is_renamed": pl.Boolean, "is_shuffled": pl.Boolean, "cut_by": pl.String,
}  # fmt: skip


def _kinds(
    p: SnapshotParameters, rng: np.random.Generator, months: tuple[dt.date, ...], purge: dt.date, is_web: np.ndarray
) -> np.ndarray:
    n = len(months)
    kinds = np.full(n, "COMPLETE", dtype=object)
    if n < _LEAST_MONTHS:
        return kinds
    distance = np.array([(m.year - purge.year) * 12 + m.month - purge.month for m in months])
    free = np.abs(distance) > 1
    free[[0, n - 1]] = False
    for kind, whole in (("STALE", p.stale), ("MISSING", p.missing), ("PARTIAL", p.partial)):
        for _ in range(max(1, round(whole * n / p.whole_run))):
            able = free.copy()
            if kind == "STALE":  # a listing has no date by which it could be told
                able[1:] &= ~is_web[1:] & ~is_web[:-1] & (kinds[:-1] == "COMPLETE")
            where = np.flatnonzero(able)
            if not len(where):
                break
            chosen = int(rng.choice(where))
            kinds[chosen] = kind
            free[chosen] = False
            if kind == "STALE":
                free[chosen - 1] = False
    return kinds


def shown(p: SnapshotParameters, seed: int, rows: pl.DataFrame, snapshot: dict) -> pl.DataFrame:
    """Rows (`COLUMNS`) of one file.

    Args:
        rows: all registrations with their holder's names and their `status_code` on the file's day; empty before inscription.
        snapshot: a row of `plan_snapshots`.
    """
    as_of, n = snapshot["as_of"], rows.height
    listed = ["VIGENTE", "SUSPENDIDO"] + (["EXCLUIDO"] if snapshot["layout"] == "WEB" else [])
    rng = stream(seed, "spelling")
    wrong, without = rng.random(n) < p.misspelt, rng.random(n) < p.without_position
    first, last = p.mended
    mended = np.datetime64(first, "D") + rng.integers(0, (last - first).days, n)
    letter = rng.integers(1, 1_000, n)
    wrong &= mended > np.datetime64(as_of, "D")
    names = rows["name"].to_list()
    for i in np.flatnonzero(wrong):
        names[i] = _slip(names[i], int(letter[i]))
    unknown = pl.Series(without)
    frame = rows.with_columns(
        pl.Series("name", names, dtype=pl.String),
        pl.when(~unknown).then("latitude_deg").alias("latitude_deg"),
        pl.when(~unknown).then("longitude_deg").alias("longitude_deg"),
    ).filter(pl.col("status_code").is_in(listed))
    if snapshot["kind"] == "PARTIAL":
        frame = _cut(p, stream(seed, f"cut {as_of}"), frame, snapshot["cut_by"])
    return frame.select(COLUMNS)


def _slip(name: str, at: int) -> str:
    """The name with one letter twice."""
    at %= len(name)
    return name[:at] + name[at] + name[at:]


def _cut(p: SnapshotParameters, rng: np.random.Generator, frame: pl.DataFrame, cut_by: str) -> pl.DataFrame:
    """Without a share of the rows: any rows, or the end of a query that went department by department."""
    kept = frame.height - round(frame.height * p.partial_loss)
    if cut_by == "RANDOM":
        return frame[np.sort(rng.permutation(frame.height)[:kept])]
    departments = frame["department_code"].unique().sort()
    rank = dict(zip(rng.permutation(departments.to_numpy()), range(len(departments)), strict=True))
    place = frame["department_code"].replace_strict(rank, return_dtype=pl.Int64).to_numpy()
    return frame[np.sort(np.argsort(place, kind="stable")[:kept])]
