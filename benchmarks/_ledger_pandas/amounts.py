"""What the pandas ledger is written in: columns as numpy arrays, codes as whole numbers, exact amounts without 128 bits.

Money is in cents or in millionths of a dollar (`_uusd`), mass in grams, ratios in millionths (`_ppm`). Where some are missing
they are whole numbers in float64, exact below 2^53; a product of two is never made whole, but as quotient and rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PPM = 10**6
_EXACT_DOUBLE = 2**53


class Codes:
    """Texts as whole numbers, the same for all tables; -1 for none."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def code(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def of(self, texts: pa.ChunkedArray | pa.Array) -> np.ndarray:
        listed = texts.unify_dictionaries().combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        numbers = np.array([self.code(text) for text in listed.dictionary.to_pylist()] + [-1], dtype=np.int32)
        return numbers[pc.fill_null(listed.indices, len(numbers) - 1).to_numpy(zero_copy_only=False)]

    def text(self, codes: np.ndarray) -> pa.Array:
        texts = pa.array(list(self._numbers), pa.string())
        return pa.DictionaryArray.from_arrays(
            pa.array(np.asarray(codes), pa.int32(), mask=np.asarray(codes) < 0), texts
        )


CODES = Codes()
code = CODES.code


def codes(*texts: str) -> list[int]:
    return [code(text) for text in texts]


def read(folder: Path, table: str, coded: tuple[str, ...] = (), plain: tuple[str, ...] = ()) -> pd.DataFrame:
    """Columns of an input: `coded` texts as numbers, decimals as their last places, other texts as they are.

    Lots' keys stay texts of Arrow, which `Lots` numbers.
    """
    file = pq.read_table(folder / "inputs" / f"{table}.parquet", columns=[*coded, *plain])
    columns = {name: CODES.of(file[name].dictionary_encode()) for name in coded}
    columns |= {name: _array(file[name].combine_chunks()) for name in plain}
    return pd.DataFrame(columns, copy=False)


def _array(values: pa.Array):
    kind = values.type
    if pa.types.is_decimal(kind):
        # the low half of 128 bits: no amount of an input has more
        units = np.frombuffer(values.buffers()[1], np.int64)[2 * values.offset :: 2][: len(values)]
        return np.where(values.is_null(), np.nan, units) if values.null_count else units
    if pa.types.is_date(kind):
        return values.cast(pa.timestamp("s")).to_numpy(zero_copy_only=False)
    if pa.types.is_boolean(kind):
        return values.fill_null(False).to_numpy(zero_copy_only=False)
    if pa.types.is_string(kind):
        return pd.array(values, dtype=pd.ArrowDtype(pa.string()))
    return values.to_numpy(zero_copy_only=False)


def known(values) -> np.ndarray:
    return ~pd.isna(np.asarray(values))


def coalesce(*columns) -> np.ndarray:
    """The first that is told: of codes, that is not -1; of amounts and days, that is not missing."""
    found = np.asarray(columns[0])
    for column in columns[1:]:
        is_open = found < 0 if found.dtype == np.int32 else pd.isna(found)
        found = np.where(is_open, column, found)
    return found


def divided(a, b, by) -> tuple[np.ndarray, np.ndarray]:
    """`a * b` over `by`: quotient and rest of whole numbers that are not negative; the product may have 128 bits."""
    a, b, by = (np.asarray(x, dtype=np.int64) for x in (a, b, by))
    quotient = (a.astype(np.float64) * b / by).astype(np.int64)
    # the product's lower 64 bits are enough: the estimate leaves little
    rest = a * b - quotient * by
    more = rest // by
    return quotient + more, rest - more * by


def _signed(a, b, by, up_where) -> np.ndarray:
    a, b, by = np.broadcast_arrays(a, b, by)
    is_known = known(a) & known(b) & known(by)
    size_a, size_b = (np.where(is_known, np.abs(x), 0) for x in (a, b))
    is_negative = (np.where(is_known, a, 0) < 0) ^ (np.where(is_known, b, 0) < 0)
    divisor = np.where(is_known, by, 1).astype(np.int64)
    quotient, rest = divided(size_a, size_b, divisor)
    size = quotient + up_where(rest, divisor)
    found = np.where(is_negative, -size, size)
    return found if is_known.all() else np.where(is_known, found, np.nan)


def rounded(a, b, by) -> np.ndarray:
    """`a * b / by`, halves away from zero."""
    return _signed(a, b, by, lambda rest, divisor: 2 * rest >= divisor)


def part(whole, share, total) -> np.ndarray:
    """`whole * share / total` towards zero."""
    return _signed(whole, share, total, lambda _, __: 0)


def worth_uusd(copper_g, uusd_per_t) -> np.ndarray:
    return rounded(copper_g, uusd_per_t, PPM)


def _bound(ratio_ppm, base, upwards: bool) -> np.ndarray:
    """In cents, outwards, of a bound at ten decimals."""
    is_known = known(ratio_ppm) & known(base)
    # whole numbers throughout: ten decimals of a value may be more than a float64 holds
    ten = rounded(np.where(is_known, ratio_ppm, 0), np.where(is_known, base, 0), 100)
    cents = -(-ten // 10**8) if upwards else ten // 10**8
    return np.where(is_known, cents, np.nan)


def bounds_cents(cents, low_ppm, high_ppm, base_low, base_high) -> tuple[np.ndarray, np.ndarray]:
    """Bounds about a value in cents; of a ratio below zero, the larger base is the lower bound's."""
    low_base = np.where(np.asarray(low_ppm) < 0, base_high, base_low)
    high_base = np.where(np.asarray(high_ppm) < 0, base_low, base_high)
    return np.fmin(cents, _bound(low_ppm, low_base, False)), np.fmax(cents, _bound(high_ppm, high_base, True))


def double(units, scale: int) -> np.ndarray:
    """A decimal's DOUBLE: above 2^53 units DuckDB divides the whole and the rest apart."""
    units = np.asarray(units)
    if units.dtype == np.float64:
        return units / 10**scale
    size, power = np.abs(units), 10**scale
    far = np.sign(units) * ((size // power).astype(np.float64) + (size % power) / power)
    return np.where(size <= _EXACT_DOUBLE, units / power, far)


def quotient(over, under, scale: int) -> np.ndarray:
    """A quotient of doubles at `scale` decimals; none by zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return from_double(np.where(np.asarray(under) == 0, np.nan, over) / under, scale)


def from_double(value, scale: int) -> np.ndarray:
    scaled = np.asarray(value) * 10.0**scale
    whole = np.trunc(scaled)
    return whole + np.sign(scaled) * (np.abs(scaled - whole) >= 0.5)


def as_decimal(units, scale: int) -> pa.Array:
    """Arrow's decimals of units that may be missing."""
    is_known = known(units)
    halves = np.empty((len(is_known), 2), dtype=np.int64)
    halves[:, 0] = np.where(is_known, units, 0)
    halves[:, 1] = halves[:, 0] >> 63
    valid = pa.py_buffer(np.packbits(is_known, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(is_known), [valid, pa.py_buffer(halves)])


def write(folder: Path, table: str, columns: dict[str, pa.Array | np.ndarray | pd.Series]) -> None:
    file = folder / "pandas" / f"{table}.parquet"
    file.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({name: _column(values) for name, values in columns.items()}), file, compression="zstd")


def _column(values) -> pa.Array:
    found = values if isinstance(values, pa.Array) else pa.array(values)
    return found.cast(pa.date32()) if pa.types.is_timestamp(found.type) else found


def pairs(left: pd.DataFrame, right: pd.DataFrame, on: list[str], how="left") -> tuple[np.ndarray, np.ndarray]:
    """Places of rows that are equal in `on`, all of the left; -1 where the right has none. Missing codes equal nothing."""
    here, there = left[on].reset_index(drop=True), right[on].reset_index(drop=True)
    coded = [name for name in on if there[name].dtype == np.int32]
    there = there.assign(there=np.arange(len(there)))
    if coded:
        there = there[(there[coded] >= 0).all(axis=1)]
    found = here.assign(here=np.arange(len(here))).merge(there, on=on, how=how)
    return found["here"].to_numpy(), found["there"].fillna(-1).to_numpy(np.int64)


def take(values, at: np.ndarray):
    """`values[at]`, and none where `at` is negative."""
    column = values.array if isinstance(values, pd.Series) else values
    if isinstance(column, pd.arrays.ArrowExtensionArray):
        return column.take(at, allow_fill=True)
    column, is_none = np.asarray(column), at < 0
    if not is_none.any():
        return column[at]
    if column.dtype == np.int64:
        column = column.astype(np.float64)
    none = {"i": -1, "b": False, "M": np.datetime64("NaT")}.get(column.dtype.kind, np.nan)
    found = np.full(len(at), none, dtype=column.dtype)
    found[~is_none] = column[at[~is_none]]
    return found


def took(frame: pd.DataFrame, at: np.ndarray, *names: str) -> dict[str, object]:
    return {name: take(frame[name], at) for name in names}
