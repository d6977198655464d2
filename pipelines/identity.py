"""Identities and their keys: canonical forms, check digits, HMAC party keys, masking.

A natural person's RUC (10 + DNI + check digit) and the DNI are one identity and give one key.
Nothing here touches the disk; the secret and the collected identities live in `vault.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable

import polars as pl

RUC_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
RUC_PREFIXES = ("10", "15", "16", "17", "20")
KEY_LENGTH = 32  # hexadecimal digits: 128 bits of the HMAC, ample against collisions

#: SUNAT catalogue 06 (identity documents) -> kind of identity. "-" and "0" name nobody in particular.
DOCUMENT_KINDS = {"1": "DNI", "4": "CE", "6": "RUC", "7": "PASSPORT", "A": "DIPLOMATIC", "0": "FOREIGN_TAX"}

_EIRL = re.compile(r"\bE\.? ?I\.? ?R\.? ?L\b|EMPRESA INDIVIDUAL", re.IGNORECASE)
_ID_NUMBER = re.compile(r"(?<![0-9])[0-9]{8}(?:[0-9]{3})?(?![0-9])")
_PLATE = re.compile(r"\b[A-Z][A-Z0-9]{2}[- ]?[0-9]{3}\b")
_LICENCE = re.compile(r"\b[A-Z][- ]?[0-9]{8}\b")


def ruc_check_digit(first_ten: str) -> int:
    """Check digit of a RUC's first ten digits: 11 - (weighted sum mod 11), 10 -> 0, 11 -> 1 (oracle O15)."""
    remainder = 11 - sum(int(d) * w for d, w in zip(first_ten, RUC_WEIGHTS, strict=True)) % 11
    return {10: 0, 11: 1}.get(remainder, remainder)


def is_valid_ruc(ruc: str) -> bool:
    """True for eleven ASCII digits with a known prefix and the right check digit."""
    return (
        len(ruc) == 11
        and ruc.isascii()
        and ruc.isdigit()
        and ruc[:2] in RUC_PREFIXES
        and ruc_check_digit(ruc[:10]) == int(ruc[10])
    )


def ruc_is_valid_expr(column: pl.Expr) -> pl.Expr:
    """`is_valid_ruc` over a text column, without leaving polars."""
    digits = [column.str.slice(i, 1).cast(pl.Int32, strict=False) for i in range(11)]
    weighted = pl.sum_horizontal([d * w for d, w in zip(digits[:10], RUC_WEIGHTS, strict=True)])
    remainder = 11 - weighted % 11
    expected = pl.when(remainder == 10).then(0).when(remainder == 11).then(1).otherwise(remainder)
    return column.str.contains(rf"^(?:{'|'.join(RUC_PREFIXES)})[0-9]{{9}}$") & (digits[10] == expected)


def canonical_ruc(ruc: str) -> tuple[str, str]:
    """(kind, value) of a RUC: the DNI for natural persons with prefix 10, the RUC itself otherwise."""
    return ("DNI", ruc[2:10]) if ruc.startswith("10") and len(ruc) == 11 else ("RUC", ruc)


def canonical(kind: str, value: str) -> tuple[str, str]:
    """One spelling for one identity: no spaces, dots or hyphens, upper case, RUC 10 folded into its DNI."""
    compact = re.sub(r"[\s.\-]", "", value).upper()
    if kind == "RUC":
        return canonical_ruc(compact)
    if kind == "DNI":
        return kind, compact.zfill(8) if compact.isdigit() else compact
    if kind == "NAME":
        return kind, fold_name(value)
    return kind, compact


def fold_name(name: str) -> str:
    """Upper case without accents, punctuation or doubled spaces, for keys made of names alone."""
    plain = unicodedata.normalize("NFKD", name.upper())
    return re.sub(r"[^A-Z0-9]+", " ", plain.encode("ascii", "ignore").decode()).strip()


def company_name(kind: str, value: str, name: str | None) -> str | None:
    """The name if it may stay in the warehouse: a RUC 20 that is no E.I.R.L.; in doubt it is a person's."""
    if name and kind == "RUC" and value.startswith("20") and not _EIRL.search(name):
        return name
    return None


def mask(text: str | None, known: Iterable[str] = ()) -> str | None:
    """Hide what could name a person in free text: `known` strings, RUC and DNI numbers, plates, licences."""
    if not text:
        return text
    for secret in sorted({k for k in known if k and len(k) >= 4}, key=len, reverse=True):
        text = re.sub(re.escape(secret), "[identidad]", text, flags=re.IGNORECASE)
    text = _LICENCE.sub("[identidad]", text)
    text = _ID_NUMBER.sub("[identidad]", text)
    return _PLATE.sub("[placa]", text)


class Keyer:
    """Makes party keys under the vault's secret and remembers the identities behind them.

    One `Keyer` serves one file: what it collected goes to the vault together with that file.
    """

    SCHEMA = pl.Schema(
        {"party_key": pl.String, "identity_kind": pl.String, "identity": pl.String, "name": pl.String}
    )

    def __init__(self, secret: bytes):
        self._secret = secret
        self._keys: dict[tuple[str, str], str] = {}
        self._names: dict[tuple[str, str], str | None] = {}

    def key(self, kind: str, value: str | None, name: str | None = None) -> str | None:
        """Party key (32 hexadecimal digits) of an identity; None for an empty value.

        Args:
            kind: RUC, DNI, CE, PASSPORT, DIPLOMATIC, FOREIGN_TAX, REINFO, PLATE, LICENCE or NAME.
            value: the identity as written in the source.
            name: the person's or company's name, kept in the vault only.
        """
        if not value or not value.strip(" -"):
            return None
        identity = canonical(kind, value)
        made = self._keys.get(identity)
        if made is None:
            made = self.digest(*identity)
            self._keys[identity] = made
        if name and not self._names.get(identity):
            self._names[identity] = name
        return made

    def digest(self, kind: str, value: str) -> str:
        """HMAC-SHA-256 of `kind:value` (already canonical), first 128 bits, without remembering it."""
        return hmac.digest(self._secret, f"{kind}:{value}".encode(), "sha256").hex()[:KEY_LENGTH]

    def keys(self, kind: str, values: pl.Series, names: pl.Series | None = None) -> pl.Series:
        """`key` over a text series."""
        listed_names = names.to_list() if names is not None else [None] * len(values)
        return pl.Series(
            values.name,
            [self.key(kind, v, n) for v, n in zip(values.to_list(), listed_names, strict=True)],
            dtype=pl.String,
        )

    def fingerprint(self) -> str:
        """Says which secret this is without telling it."""
        return hashlib.sha256(b"antawasi" + hmac.digest(self._secret, b"fingerprint", "sha256")).hexdigest()[:16]

    def collected(self) -> pl.DataFrame:
        """Identities seen since the last call, as (party_key, identity_kind, identity, name); forgets them."""
        rows = sorted((key, kind, value, self._names.get((kind, value))) for (kind, value), key in self._keys.items())
        self._keys, self._names = {}, {}
        return pl.DataFrame(rows, schema=self.SCHEMA, orient="row")
