"""The taxpayer roll: generated latin-1 lines to checked Parquet, against DuckDB's bare copy and pandas' mere reading.

`ours` is the road of a real run without its filter: every line told apart, columns kept and typed, check digit
validated, every party keyed under HMAC, rejected rows kept apart, the lake table written, the counts reconciled.
`ours without keys` leaves the HMAC out (a real run keys only the parties in scope). `duckdb copy` and `pandas
read` get a twin of the file without the bytes 0x80-0x9F, on which DuckDB's latin-1 decoder aborts.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from benchmarks._measure import measure, ratio, this
from benchmarks._results import Outcome, Target, command_line, show

_TITLES = (
    "RUC|NOMBRE O RAZÓN SOCIAL|ESTADO DEL CONTRIBUYENTE|CONDICIÓN DE DOMICILIO|UBIGEO|TIPO DE VÍA|NOMBRE DE VÍA|"
    "CÓDIGO DE ZONA|TIPO DE ZONA|NÚMERO|INTERIOR|LOTE|DEPARTAMENTO|MANZANA|KILÓMETRO|\n"
)
_WORDS = (
    "QUISPE",
    "MAMANI",
    "MINERA",
    "ANDINA",
    "NUÑEZ",
    "PEÑA",
    "MARÍA",
    "TRANSPORTES",
    "EL CÓNDOR",
    "GARCÍA",
    "COMERCIAL",
    "DEL SUR",
)
_FORMS = {
    "10": ("", "JUAN CARLOS", "ANA MARÍA"),
    "15": ("", "SUCESIÓN"),
    "20": ("S.A.C.", "S.R.L.", "E.I.R.L.", "S.A."),
}
_STATUS = ("ACTIVO",) * 6 + ("BAJA DE OFICIO", "BAJA DEFINITIVA", "BAJA PROV. POR OFICI", "SUSPENSION TEMPORAL")
_CONDITION = ("HABIDO",) * 8 + ("NO HABIDO", "NO HALLADO SE MUDO D")


def generate(path: Path, lines: int, stray_bytes: bool) -> None:
    """Write a roll of `lines` taxpayers in latin-1; every 500th has bytes 0x80-0x9F when asked, one in 10,000 a bad digit."""
    from pipelines.identity import ruc_check_digit

    draw = random.Random(20)
    with open(path, "wb") as out:
        out.write(_TITLES.encode("latin-1"))
        buffer = []
        for i in range(lines):
            prefix = draw.choice(("10", "10", "10", "10", "20", "20", "15"))
            ten = prefix + f"{draw.randrange(10**8):08d}"
            digit = (ruc_check_digit(ten) + (i % 10_000 == 77)) % 10
            name = f"{draw.choice(_WORDS)} {draw.choice(_WORDS)} {draw.choice(_FORMS[prefix])}{i % 4999}"
            street = f"LOS JAZMÍNES {i % 997}"
            row = (
                f"{ten}{digit}|{name}|{draw.choice(_STATUS)}|{draw.choice(_CONDITION)}|{draw.choice(('150101', '040101', '110301', '-'))}|"
                f"AV.|{street}|URB.|SANTA ROSA|{i % 999}|-|{'B' if i % 3 else '-'}|-|-|{'17.5' if i % 9 == 0 else '-'}|\n"
            ).encode("latin-1")
            if stray_bytes and i % 500 == 3:
                row = row.replace(b"JAZM\xcdNES", b"JAZM\x92\x85NES", 1)
            buffer.append(row)
            if len(buffer) == 50_000:
                out.write(b"".join(buffer))
                buffer.clear()
        out.write(b"".join(buffer))


def ours(path: Path, with_keys: bool) -> None:
    """File to lake table and rejected rows, through the project's own parser, contract and writer."""
    from pipelines import contracts, lake
    from pipelines.identity import Keyer
    from pipelines.landing import OriginCard
    from pipelines.sources import Context, sunat_ruc

    keyer = Keyer(b"benchmark".ljust(32, b"."))
    if not with_keys:
        import polars as pl

        keyer.digest_all = lambda identities: pl.Series(identities.name, ["0" * 32]).new_from_index(0, len(identities))
    table = contracts.contract(sunat_ruc.TABLE)
    card = OriginCard(
        source="sunat_ruc", filename=path.name, sha256="0" * 64, bytes=0, producer="", origin="", licence="", attribution="",
        period=None, period_declared=False, source_as_of="2026-01-01", retrieved_at="", landed_at="2026-01-01T00:00:00", is_synthetic=True,
    )  # fmt: skip
    rows_in = 0
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        good, bad = lake.raw_writer(Path(folder), table, card), lake.rejected_writer(Path(folder), table, card)
        for batch in sunat_ruc.parse(path, Context(keyer=keyer, filename=path.name)):
            frame = batch.tables[table.name]
            accepted, rejected = contracts.check_rows(table, frame, path.name)
            rows_in += frame.height
            good.write(accepted)
            if rejected.height:
                bad.write(lake.mask_rejected(rejected))
        good.commit()
        bad.commit()
        assert rows_in == good.rows + bad.rows and bad.rows, (rows_in, good.rows, bad.rows)


def duckdb_copy(path: Path) -> None:
    import duckdb

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        duckdb.sql(
            f"COPY (SELECT * FROM read_csv('{path}', delim = '|', quote = '', header = true, encoding = 'latin-1', all_varchar = true)) "
            f"TO '{folder}/twin.parquet' (FORMAT parquet)"
        )


def pandas_read(path: Path) -> None:
    import pandas

    pandas.read_csv(path, sep="|", encoding="latin-1", dtype=str, quoting=3)


def run(lines: int, rounds: int) -> Outcome:
    """Generate, measure, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:
        roll, twin = Path(folder) / "roll.txt", Path(folder) / "twin.txt"
        generate(roll, lines, stray_bytes=True)
        generate(twin, lines, stray_bytes=False)
        figures = measure(
            {
                "ours": this("sunat_ruc", "--candidate", "ours", str(roll)),
                "ours without keys": this("sunat_ruc", "--candidate", "ours-without-keys", str(roll)),
                "duckdb copy": this("sunat_ruc", "--candidate", "duckdb", str(twin)),
                "pandas read": this("sunat_ruc", "--candidate", "pandas", str(twin)),
            },
            rounds,
        )
    own, bare = figures["ours"], figures["ours without keys"]
    copy, pandas = figures["duckdb copy"], figures["pandas read"]
    return show(
        Outcome(
            f"Taxpayer roll, {lines:,} lines to checked Parquet",
            figures,
            [
                Target("CPU of ours / DuckDB's bare copy", ratio(own, copy), 1.25),
                Target("CPU of ours without keys / DuckDB's bare copy", ratio(bare, copy), 1.25),
                Target("wall of ours / pandas merely reading", ratio(own, pandas, "wall_s"), 0.5),
                Target("peak MB of ours", own.peak_mb, 700),
            ],
            baseline="duckdb copy",
        )
    )


if __name__ == "__main__":
    command_line(
        __doc__,
        "lines",
        500_000,
        {
            "ours": lambda p: ours(p, True),
            "ours-without-keys": lambda p: ours(p, False),
            "duckdb": duckdb_copy,
            "pandas": pandas_read,
        },
        run,
    )
