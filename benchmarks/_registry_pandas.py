"""The registry's history in pandas: the rules of dbt_project/macros/registry for files in which no code is listed twice.

Vectorised throughout (merges, grouped shifts and fills, no loop over rows), reading from Parquet the columns it needs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

_STATE = ["status_code", "party_key", "mining_right_id_ingemmet", "place_code", "activity_code"]
_NAMES = ["department_name", "province_name", "district_name"]
_READ = [
    "layout_code", "reinfo_key", "is_free_area", "inscription_year", "department_code", *_NAMES,
    *(c for c in _STATE if c != "place_code"),
    "_landing_sha256", "_source_as_of", "_ingested_at", "_is_synthetic", "_row_number",
]  # fmt: skip


def history(paths: list[Path], places: Path, out: Path) -> None:
    """Write the history of the lake files `paths` to the Parquet file `out`, with the columns of dim_registration."""
    listed, files = _listed(paths, places)
    keyed = _keyed(listed)
    _told(keyed, _judged(keyed, files)).to_parquet(out)


def _listed(paths: list[Path], places: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of all files with their number `n` and place, and the files."""
    frames = [pd.read_parquet(path, columns=_READ) for path in paths]
    constant = ["_is_synthetic", "_source_as_of", "layout_code", "_landing_sha256", "_ingested_at"]
    files = pd.DataFrame([frame.iloc[0][constant] for frame in frames])
    order = files.reset_index(drop=True).sort_values(constant[:3]).index
    files = files.iloc[order].reset_index(drop=True)
    files["n"] = files.groupby("_is_synthetic").cumcount() + 1
    for number, at in zip(files["n"], order, strict=True):
        frames[at]["n"] = number
    rows = pd.concat(
        [frame.drop(columns=["layout_code", *constant[3:], "_source_as_of"]) for frame in frames], ignore_index=True
    )
    rows = rows.merge(pd.read_parquet(places), on=_NAMES, how="left", suffixes=("", "_place"))
    rows["place_code"] = rows["ubigeo_code"].fillna(rows["department_name"])
    rows["department_code"] = rows["department_code_place"].fillna(rows["department_code"])
    rows["right_code"] = rows["mining_right_id_ingemmet"].fillna("AREA LIBRE|" + rows["place_code"])
    return rows.drop(columns=[*_NAMES, "ubigeo_code", "department_code_place"]), files


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with registration_key, key_method, paired_from and ambiguous_from."""
    natural = ["party_key", "right_code", "_is_synthetic"]
    is_coded = rows["reinfo_key"].notna()
    coded, bare = rows[is_coded], rows[~is_coded].copy()
    codes = coded.groupby([*natural, "reinfo_key"], as_index=False)["n"].min().sort_values(["n", "reinfo_key"])
    codes["i"] = codes.groupby(natural).cumcount() + 1
    in_file = bare.sort_values("_row_number").groupby(["n", *natural])
    bare["i"] = in_file.cumcount() + 1
    bare["of_these"] = in_file["_row_number"].transform("size")
    bare.loc[in_file["status_code"].transform("nunique") > 1, "status_code"] = None
    own = codes.rename(columns={"n": "paired_from", "reinfo_key": "code"})
    second = codes.loc[codes["i"] == 2, [*natural, "n"]].rename(columns={"n": "second_from"})
    bare = bare.merge(own, on=[*natural, "i"], how="left").merge(second, on=natural, how="left")
    is_natural = bare["code"].isna()
    bare["key_method"] = "ambiguous"
    bare.loc[(bare["of_these"] == 1) & bare["second_from"].isna(), "key_method"] = "matched"
    bare.loc[is_natural, "key_method"] = "natural"
    bare["ambiguous_from"] = bare["second_from"].where(bare["of_these"] == 1, 0).where(~is_natural)
    unknown = bare[is_natural]
    bare["registration_key"] = bare["code"]
    bare.loc[is_natural, "registration_key"] = [
        _md5(f"{_md5(f'{party}|{right}')}|{i}")
        for party, right, i in zip(unknown["party_key"], unknown["right_code"], unknown["i"], strict=True)
    ]
    coded = coded.assign(
        registration_key=coded["reinfo_key"], key_method="code", paired_from=0, ambiguous_from=float("nan")
    )
    dropped = ["reinfo_key", "right_code"]
    return pd.concat(
        [coded.drop(columns=dropped), bare.drop(columns=[*dropped, "i", "of_these", "code", "second_from"])],
        ignore_index=True,
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _judged(keyed: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """The files with `absence_n`, the next whole one in which absence says something."""
    key = ["n", "_is_synthetic", "registration_key"]
    narrow = keyed.loc[
        keyed["key_method"] != "natural", [*key, "status_code", "department_code", "paired_from", "ambiguous_from"]
    ]
    ahead = pd.concat([narrow.assign(of=narrow["n"], n=narrow["n"] + back) for back in (3, 2, 1)], ignore_index=True)
    ahead = ahead[(ahead["n"] >= ahead["paired_from"]) & ~(ahead["n"] >= ahead["ambiguous_from"])]
    last = ahead.groupby(key, sort=False)[["status_code", "department_code"]].last().reset_index()
    expected = last[last["status_code"].isna() | (last["status_code"] == "VIGENTE")]
    there = narrow.loc[narrow["n"] >= narrow["paired_from"], key].assign(is_found=True)
    found = expected.merge(there, on=key, how="left")
    found["is_found"] = found["is_found"].notna()
    counts = found.groupby(["_is_synthetic", "n", "department_code"])["is_found"].agg(["size", "sum"]).reset_index()
    counts["lost"] = (counts["size"] >= 20) & (counts["sum"] < counts["size"] * 0.5)
    whole = counts.groupby(["_is_synthetic", "n"])[["size", "sum", "lost"]].sum().reset_index()
    whole["is_complete"] = (whole["sum"] >= whole["size"] * 0.95) & (whole["lost"] == 0)
    files = files.merge(whole[["_is_synthetic", "n", "is_complete"]], on=["_is_synthetic", "n"], how="left")
    tells = files["is_complete"].isna() | files["is_complete"].eq(True)
    files["absence_n"] = files["n"].where(tells & (files["layout_code"] == "MAP"))
    files["absence_n"] = files.groupby("_is_synthetic")["absence_n"].transform(lambda s: s.shift(-1).bfill())
    return files


def _told(keyed: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """The history: one row per registration and interval."""
    key = ["registration_key", "_is_synthetic"]
    rows = keyed.sort_values([*key, "n"], ignore_index=True)
    rows["previous_n"] = rows.groupby(key)["n"].shift()
    next_n = rows.groupby(key)["n"].shift(-1)
    rows[_STATE] = rows.groupby(key)[_STATE].ffill()
    rows = rows.merge(files[["n", "_is_synthetic", "absence_n"]], on=["n", "_is_synthetic"], how="left")
    rows["vanishes"] = (
        rows["absence_n"].notna() & (next_n.isna() | (rows["absence_n"] < next_n))
        & (rows["status_code"] != "EXCLUIDO") & (rows["key_method"] != "natural")
    )  # fmt: skip
    before = rows.groupby(key)[["vanishes", *_STATE]].shift()
    vanished, is_new = before["vanishes"].eq(True), rows["previous_n"].isna()
    differs = {c: before[c].fillna("") != rows[c].fillna("") for c in _STATE}
    changed = is_new | vanished
    for column in differs.values():
        changed |= column
    rows["change_type"] = "attribute_change"
    rows.loc[vanished | differs["status_code"], "change_type"] = "status_change"
    rows.loc[vanished & (rows["status_code"] != "EXCLUIDO"), "change_type"] = "reappeared"
    rows.loc[is_new, "change_type"] = "new"
    listed = rows[changed].assign(change_n=rows["n"], after_n=rows["previous_n"].where(~vanished))
    gone = rows[rows["vanishes"]]
    gone = gone.assign(
        change_n=gone["absence_n"], after_n=gone["n"], change_type="vanished", status_code=None, _row_number=None
    )
    told = pd.concat([listed, gone]).sort_values([*key, "change_n"], ignore_index=True)
    date = files.set_index(["_is_synthetic", "n"])["_source_as_of"]

    def at(number: str, column: pd.Series) -> pd.Series:
        return column.reindex(pd.MultiIndex.from_frame(told[["_is_synthetic", number]])).reset_index(drop=True)

    told["valid_from"], told["changed_after"] = at("change_n", date), at("after_n", date)
    told["valid_to"] = told.groupby(key)["valid_from"].shift(-1)
    by_file = files.set_index(["_is_synthetic", "n"])
    told["is_listed"] = told["change_type"] != "vanished"
    return pd.DataFrame(
        {
            "registration_key": told["registration_key"],
            "valid_from": told["valid_from"],
            "valid_to": told["valid_to"],
            "changed_after": told["changed_after"],
            "change_type": told["change_type"],
            "is_listed": told["is_listed"],
            "status_code": told["status_code"],
            "registry_state": told["status_code"].fillna("SIN_ESTADO").where(told["is_listed"], "AUSENTE"),
            "party_key": told["party_key"],
            "mining_right_id_ingemmet": told["mining_right_id_ingemmet"],
            "is_free_area": told["is_free_area"],
            "place_code": told["place_code"],
            "department_code": told["department_code"],
            "activity_code": told["activity_code"],
            "inscription_year": told["inscription_year"],
            "key_method": told["key_method"],
            "layout_code": at("n", by_file["layout_code"]),
            "is_current": told["valid_to"].isna(),
            "source_as_of": told["valid_from"],
            "ingested_at": at("change_n", by_file["_ingested_at"]),
            "is_synthetic": told["_is_synthetic"],
            "landing_sha256": at("change_n", by_file["_landing_sha256"]),
            "row_number": told["_row_number"],
        }
    )
