"""The last look at a release: no value in it is, or holds, an identity or a name that the vault knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from pipelines import contracts
from pipelines.errors import PublishRefused
from pipelines.identity import fold_name

#: Shorter names are words that places and products have too.
_LEAST_WORDS, _MOST_WORDS = 3, 8
#: Names of places are the reference's own, and some people are called like them.
_PLACES = ("place_name", "department_name", "province_name", "district_name")

c = pl.col


def refuse_persons(published: Mapping[str, pl.DataFrame], vault: Path) -> None:
    """Compare every text of the tables with every identity, key and name of the vault.

    Raises:
        PublishRefused: with table, column and row, never the value itself.
    """
    known, names = _known(vault)
    for table, frame in published.items():
        coded = {column.name for column in contracts.contract(table).columns if column.codes is not None}
        for column in (name for name, dtype in frame.schema.items() if dtype == pl.String and name not in coded):
            texts = frame.with_row_index("row", 1).group_by(column).agg(c("row").min()).drop_nulls(column)
            for text, row in texts.sort("row").iter_rows():
                words = fold_name(text).split()
                tells_name = column not in _PLACES and not names.isdisjoint(_runs(words))
                if tells_name or text in known or not known.isdisjoint(words):
                    raise PublishRefused(
                        f"{table}: column {column}, row {row} holds an identity or a name that the vault knows. "
                        "What to do: find out how it got there; nothing was published."
                    )


def _known(vault: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Identities and party keys, and folded names of three words or more."""
    paths = sorted((vault / "identities").glob("*/*.parquet"))
    if not paths:
        return frozenset(), frozenset()
    people = pl.concat([pl.read_parquet(p, columns=["identity", "party_key", "name"]) for p in paths]).unique()
    known = frozenset(people["identity"].to_list()) | frozenset(people["party_key"].to_list())
    folded = (fold_name(name) for name in people["name"].drop_nulls().unique())
    # a mark of one or two letters is no identity
    return frozenset(k for k in known if k and len(k) > 3), frozenset(
        n for n in folded if n.count(" ") + 1 >= _LEAST_WORDS
    )


def _runs(words: list[str]) -> Iterator[str]:
    """Every run of words that a name may be."""
    for start in range(len(words)):
        for end in range(start + _LEAST_WORDS, min(start + _MOST_WORDS, len(words)) + 1):
            yield " ".join(words[start:end])
