"""The gate that every published table passes: right schema, right contract, public columns, nobody's identity."""

from __future__ import annotations

import re

import polars as pl

from pipelines import contracts
from pipelines.contracts import TableContract
from pipelines.errors import AntawasiError, PublishRefused

PUBLISH_SCHEMA = "publish"
_PERSONAL_COLUMN = re.compile(r"^(ruc|dni|nombre|placa|lat|lon)|_key$|landing_sha256|row_number")
#: 8 or 11 digits that stand alone (DNI, RUC), or a party key.
_PERSONAL_VALUE = r"(?:^|[^0-9])(?:[0-9]{8}|[0-9]{11})(?:[^0-9]|$)|(?:^|[^0-9a-f])[0-9a-f]{32}(?:[^0-9a-f]|$)"


def admit(schema: str, table: str) -> TableContract:
    """The contract of a table that may be published.

    Raises:
        PublishRefused: the table is not in schema `publish`, or has no contract in data_contracts/published,
            or its contract classifies a column as anything but public.
    """
    if schema != PUBLISH_SCHEMA:
        raise PublishRefused(
            f"{schema}.{table} may not leave the house: only tables of schema {PUBLISH_SCHEMA!r} do. "
            "What to do: build a pub_ model that opts in the columns to publish."
        )
    try:
        contract = contracts.contract(table)
    except AntawasiError:
        contract = None
    if contract is None or contract.layer != "published":
        raise PublishRefused(
            f"{schema}.{table} has no contract in data_contracts/published. What to do: write it, column by column."
        )
    secret = [c.name for c in contract.columns if c.classification != "public"]
    if secret:
        raise PublishRefused(
            f"{schema}.{table}: columns {', '.join(secret)} are not classified public. What to do: leave them out."
        )
    return contract


def inspect(contract: TableContract, frame: pl.DataFrame) -> None:
    """Refuse a frame that carries other columns than its contract, or anything that looks like a person's identity.

    Raises:
        PublishRefused: with the table, the column and an example row number, never the value itself.
    """
    if tuple(frame.columns) != contract.column_names:
        raise PublishRefused(
            f"{contract.name}: columns {frame.columns} differ from the contract's {list(contract.column_names)}. "
            "What to do: make the model and the contract agree."
        )
    named = [c for c in frame.columns if _PERSONAL_COLUMN.search(c)]
    if named:
        raise PublishRefused(
            f"{contract.name}: columns {', '.join(named)} name or point to persons. What to do: leave them out."
        )
    for column in (c for c, dtype in frame.schema.items() if dtype == pl.String):
        hits = frame.with_row_index().filter(pl.col(column).str.contains(_PERSONAL_VALUE))
        if hits.height:
            raise PublishRefused(
                f"{contract.name}: column {column}, row {hits['index'][0] + 1} holds what looks like a RUC, a DNI or a key. "
                "What to do: find out how it got there; nothing was published."
            )
