"""The taxpayer roll as SUNAT publishes it: latin-1, `|` between 15 columns and one more at the end, `-` for nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.sources.sunat_ruc import NAME_WIDTH

COLUMNS = ("ruc", "name", "taxpayer_status", "domicile_condition", "ubigeo_code")
_TITLES = (
    "RUC", "NOMBRE O RAZÓN SOCIAL", "ESTADO DEL CONTRIBUYENTE", "CONDICIÓN DE DOMICILIO", "UBIGEO", "TIPO DE VÍA",
    "NOMBRE DE VÍA", "CÓDIGO DE ZONA", "TIPO DE ZONA", "NÚMERO", "INTERIOR", "LOTE", "DEPARTAMENTO", "MANZANA", "KILÓMETRO",
)  # fmt: skip
#: Lines made at once: bounds the memory of a full roll.
_SLICE_ROWS = 500_000


def write_roll(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` (`COLUMNS`, text; null = missing) as the roll's plain text file, without addresses.

    Names are cut at 100 characters; a separator or line end in a value becomes a space, a letter outside latin-1 `?`.

    Raises:
        ValueError: a column is missing, or a row has no RUC.
    """
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise ValueError(f"roll: missing columns {', '.join(missing)}. What to do: give {', '.join(COLUMNS)}.")
    if frame["ruc"].null_count():
        row = frame["ruc"].is_null().arg_max()
        raise ValueError(f"roll, row {row}, column 'ruc': null, expected a RUC. What to do: leave the row out.")
    values = [pl.col(c).str.replace_all(r"[|\r\n]", " ") for c in COLUMNS]
    values[1] = values[1].str.head(NAME_WIDTH)
    address = "|-" * (len(_TITLES) - len(COLUMNS)) + "|"
    line = pl.concat_str(*(v.fill_null("-") for v in values), separator="|") + address
    with open(path, "wb") as out:
        out.write(("|".join(_TITLES) + "|\n").encode("latin-1"))
        for part in frame.iter_slices(_SLICE_ROWS):
            text = "\n".join(part.select(line.alias("line"))["line"].to_list())
            out.write((text + "\n").encode("latin-1", "replace"))
