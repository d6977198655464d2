"""The published workbooks as an office suite opens them: every sheet, codes as text, the same numbers as the CSV."""

import csv
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines import contracts

pytestmark = pytest.mark.office

#: Comma, quotes, UTF-8, from the first line, cells as shown off, every sheet in a file of its own.
EXPORT = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"


def sheets(workbook: Path, folder: Path) -> dict[str, list[list[str]]]:
    """Rows of every sheet, as the office suite reads them."""
    copy = shutil.copy(workbook, folder)
    subprocess.run(
        ["soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--convert-to", EXPORT, "--outdir", str(folder), copy],
        check=True,
        capture_output=True,
        timeout=180,
    )  # fmt: skip
    found = {}
    for path in sorted(folder.glob(f"{workbook.stem}-*.csv")):
        with open(path, newline="", encoding="utf-8") as handle:
            found[path.stem.removeprefix(f"{workbook.stem}-")] = list(csv.reader(handle))
    return found


PRODUCTS = sorted(c.name for c in contracts.all_contracts().values() if c.layer == "published")


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_office_suite_reads_what_the_csv_says(house, tmp_path, product):
    release = house / "releases" / "latest"
    found = sheets(release / f"{product}.xlsx", tmp_path)
    assert set(found) == {"LEEME", "datos", "diccionario", "notas"}
    with open(release / f"{product}.csv", newline="", encoding="utf-8-sig") as handle:
        expected = list(csv.reader(handle))
    data = found["datos"]
    assert data[0] == expected[0] and len(data) == len(expected)
    for got, wanted in zip(data[1:], expected[1:], strict=True):
        for name, cell, value in zip(expected[0], got, wanted, strict=True):
            assert same(name, cell, value), (name, cell, value)
    assert [row[0] for row in found["diccionario"][1:]] == expected[0]


def same(column: str, cell: str, value: str) -> bool:
    """Codes and dates to the letter; measures to the fifteen digits that a workbook's numbers hold."""
    if cell == value or cell.casefold() == value.casefold():
        return True
    if column.endswith(("_t", "_lb", "_usd", "_frac")) or "_per_" in column:
        return bool(cell) and abs(Decimal(cell) - Decimal(value)) <= abs(Decimal(value)) * Decimal("1e-14")
    return False
