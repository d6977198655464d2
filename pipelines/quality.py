"""Great Expectations over the lake and the published tables, from suites generated from the contracts.

GX has no polars or DuckDB engine, so each lake file is checked as a pandas batch, once: a passed file is
remembered by its receipt's fingerprint and its contract. GX is imported inside the check (it takes seconds).
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import contracts, files, lake
from pipelines.contracts import TableContract
from pipelines.lake import Receipt

#: Rows that small files are gathered up to before they are checked together.
GROUP_ROWS = 200_000


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """Outcome of one table's suite on one file. `failures` are sentences for a person; `was_known` means not run anew."""

    table: str
    subject: str
    expectations: int
    failures: tuple[str, ...]
    was_known: bool = False

    @property
    def passed(self) -> bool:
        return not self.failures


def suite(table: TableContract, rows: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """(expectation class, arguments) of a table: columns, rows, nulls, codes, patterns, ranges, key.

    `rows` is how many there must be, when that is known; otherwise at least one. The key of a raw table is that
    of one landing file: over files it repeats wherever a later file corrects an earlier one.
    """
    names = [*table.column_names, *(contracts.LINEAGE if table.layer == "raw" else ())]
    expected: list[tuple[str, dict[str, Any]]] = [
        ("ExpectTableColumnsToMatchSet", {"column_set": names, "exact_match": True}),
        ("ExpectTableRowCountToBeBetween", {"min_value": 1})
        if rows is None
        else ("ExpectTableRowCountToEqual", {"value": rows}),
    ]
    for c in table.columns:
        if c.required:
            expected.append(("ExpectColumnValuesToNotBeNull", {"column": c.name}))
        if c.codes is not None:
            expected.append(("ExpectColumnValuesToBeInSet", {"column": c.name, "value_set": list(c.codes)}))
        if c.pattern:
            expected.append(("ExpectColumnValuesToMatchRegex", {"column": c.name, "regex": c.pattern}))
        if c.minimum is not None or c.maximum is not None:
            expected.append(
                ("ExpectColumnValuesToBeBetween", {"column": c.name, "min_value": c.minimum, "max_value": c.maximum})
            )
    key = [*table.key, *(("_landing_sha256",) if table.layer == "raw" else ())] if table.key else []
    if len(key) == 1:
        expected.append(("ExpectColumnValuesToBeUnique", {"column": key[0]}))
    elif key:
        expected.append(("ExpectCompoundColumnsToBeUnique", {"column_list": key, "ignore_row_if": "never"}))
    if table.layer == "raw":
        for name in ("_landing_sha256", "_row_number", "_ingested_at", "_source_as_of", "_is_synthetic"):
            expected.append(("ExpectColumnValuesToNotBeNull", {"column": name}))
    return expected


def check_frame(table: TableContract, frame: pl.DataFrame, subject: str, rows: int | None = None) -> CheckResult:
    """Run the table's suite on a frame.

    Args:
        frame: the table's columns; decimals and dates are compared as numbers and dates.
        subject: what is being checked, for messages.
        rows: how many rows there must be, when that is known.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        import great_expectations.expectations as gxe

        gx_context = gx.get_context(mode="ephemeral")
        gx_context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        batch = (
            gx_context.data_sources.add_pandas("lake")
            .add_dataframe_asset(table.name)
            .add_batch_definition_whole_dataframe("file")
            .get_batch({"dataframe": _pandas(table, frame)})
        )
        wanted = suite(table, rows)
        gx_suite = gx.ExpectationSuite(
            name=table.name, expectations=[getattr(gxe, kind)(**args) for kind, args in wanted]
        )
        report = batch.validate(gx_suite)
    failures = tuple(_sentence(subject, result) for result in report.results if not result.success)
    return CheckResult(table.name, subject, len(wanted), failures)


def _pandas(table: TableContract, frame: pl.DataFrame) -> Any:
    ranged = [c.name for c in table.columns if isinstance(c.dtype, pl.Decimal)]
    return frame.with_columns(pl.col(ranged).cast(pl.Float64)).to_pandas()


def _sentence(subject: str, result: Any) -> str:
    args = {k: v for k, v in result.expectation_config.kwargs.items() if k != "batch_id"}
    found = result.result or {}
    seen = found.get("partial_unexpected_list") or found.get("observed_value") or result.exception_info
    return (
        f"{subject}: {result.expectation_config.type} {args} failed on "
        f"{found.get('unexpected_count', 'some')} value(s), for example {str(seen)[:160]}"
    )


def _known_path(lake_root: Path, table: str, sha256: str) -> Path:
    return lake_root / "checks" / table / f"{sha256}.json"


def _stamp(table: TableContract, receipt: Receipt) -> str:
    text = f"{receipt.fingerprint}|{files.sha256_file(table.path)}|{files.sha256_file(Path(__file__))}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def pending(lake_root: Path, table: TableContract, receipts: list[Receipt]) -> list[Receipt]:
    """Accepted files of a table whose suite has not passed yet in its present form."""
    return [r for r in _held(table, receipts) if recall(lake_root, table, r) is None]


def _held(table: TableContract, receipts: list[Receipt]) -> list[Receipt]:
    return [r for r in receipts if r.status == "accepted" and r.accepted.get(table.name)]


def recall(lake_root: Path, table: TableContract, receipt: Receipt) -> CheckResult | None:
    """The passed check of one lake file, None when it has not passed in its present form."""
    path = _known_path(lake_root, table.name, receipt.sha256)
    if not path.exists():
        return None
    known = files.read_json(path)
    if known["stamp"] != _stamp(table, receipt):
        return None
    return CheckResult(table.name, receipt.filename, known["expectations"], (), was_known=True)


def check_table(lake_root: Path, table: TableContract, receipts: list[Receipt]) -> Iterator[CheckResult]:
    """Check every accepted lake file of one raw table; files that passed before are not read again.

    A suite costs about half a second however small the file, so small files are checked together, and one by
    one only when something is wrong, to name the file.
    """
    waiting = []
    for receipt in _held(table, receipts):
        known = recall(lake_root, table, receipt)
        if known is not None:
            yield known
        else:
            waiting.append(receipt)
    for group in _groups(table, waiting):
        together = _check_files(lake_root, table, group)
        if together.passed or len(group) == 1:
            results = [together] * len(group)
        else:
            results = [_check_files(lake_root, table, [receipt]) for receipt in group]
        for receipt, result in zip(group, results, strict=True):
            if result.passed:
                files.write_json(
                    _known_path(lake_root, table.name, receipt.sha256),
                    {"stamp": _stamp(table, receipt), "expectations": result.expectations},
                )
            yield dataclasses.replace(result, subject=receipt.filename)


def _groups(table: TableContract, receipts: list[Receipt]) -> Iterator[list[Receipt]]:
    """Files to check together: as many as make up `GROUP_ROWS` rows."""
    group: list[Receipt] = []
    for receipt in receipts:
        if group and sum(r.accepted[table.name] for r in (*group, receipt)) > GROUP_ROWS:
            yield group
            group = []
        group.append(receipt)
    if group:
        yield group


def _check_files(lake_root: Path, table: TableContract, group: list[Receipt]) -> CheckResult:
    # diagonal: a file with other columns than the contract's must fail its check, not the reading
    frame = pl.concat(
        [pl.read_parquet(lake.raw_path(lake_root, table.name, r.sha256)) for r in group], how="diagonal_relaxed"
    )
    named = f"{group[0].filename}" if len(group) == 1 else f"{len(group)} files"
    return check_frame(table, frame, f"{named} ({table.name})", sum(r.accepted[table.name] for r in group))
