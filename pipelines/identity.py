"""Identities and their keys: canonical forms, check digits, HMAC party keys, masking.

A natural person's RUC (10 + DNI + check digit) and the DNI are one identity and give one key.
Nothing here touches the disk; the secret and the collected identities live in `vault.py`.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import polars_hash  # noqa: F401 - registers the expression namespace `chash`

RUC_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
RUC_PREFIXES = ("10", "15", "16", "17", "20")
KEY_LENGTH = 32  # hexadecimal digits: 128 bits of the HMAC, ample against collisions

#: SUNAT catalogue 06 (identity documents) -> kind of identity. "-" and "0" name nobody in particular.
DOCUMENT_KINDS = {"1": "DNI", "4": "CE", "6": "RUC", "7": "PASSPORT", "A": "DIPLOMATIC", "0": "FOREIGN_TAX"}


def canonical_ruc_expr(column: pl.Expr) -> pl.Expr:
    """`kind:value` of a column of valid RUC."""
    dni = pl.concat_str(pl.lit("DNI:"), column.str.slice(2, 8))
    return pl.when(column.str.starts_with("10")).then(dni).otherwise(pl.concat_str(pl.lit("RUC:"), column))


def company_name_expr(ruc: pl.Expr, name: pl.Expr) -> pl.Expr:
    """The name where it may stay in the warehouse, null elsewhere."""
    company = pl.when(ruc.str.starts_with("20")).then(name)  # first, so that the pattern is sought in these alone
    return pl.when(~company.str.contains(PERSONS_FORM)).then(company)


#: Legal forms that are mostly known by a person's name: an individual firm (E.I.R.L.), and the partners of one mining
#: right (S.M.R.L.). One rule for every source.
PERSONS_FORM = r"(?i)\b(?:E\.?\s?I\.?\s?R|S\.?\s?M\.?\s?R)\.?\s?L|EMPRESA INDIVIDUAL"
_PERSONS_FORM = re.compile(PERSONS_FORM)
#: A driving licence; eight or eleven digits that stand alone, unless they are a document's number behind its series
#: (F001-00000001); a plate.
_PERSONAL = re.compile(
    r"(?P<number>\b[A-Z][- ]?[0-9]{8}\b|(?<![0-9])(?<![A-Z][A-Z0-9]{3}-)[0-9]{8}(?:[0-9]{3})?(?![0-9]))"
    r"|\b[A-Z][A-Z0-9]{2}-?[0-9]{3}\b"
)
#: The least that any of the above holds, found in a fraction of the time: eight digits, or three behind a plate's head.
_LEAST = re.compile(r"[0-9]{3}(?:[0-9]{5}|(?<=[A-Z][A-Z0-9]{2}[0-9]{3})|(?<=[A-Z][A-Z0-9]{2}-[0-9]{3}))")
_RUC_IN_NAME = re.compile(r"(?<![0-9])(?:10|15|16|17|20)[0-9]{9}(?![0-9])")


def ruc_check_digit(first_ten: str) -> int:
    """Check digit of a RUC's first ten digits: 11 - (weighted sum mod 11), 10 -> 0, 11 -> 1 (oracle O15)."""
    remainder = 11 - sum(int(d) * w for d, w in zip(first_ten, RUC_WEIGHTS, strict=True)) % 11
    return {10: 0, 11: 1}.get(remainder, remainder)


@functools.lru_cache(maxsize=65_536)
def is_valid_ruc(ruc: str) -> bool:
    """True for eleven ASCII digits with a known prefix and the right check digit."""
    return (
        len(ruc) == 11
        and ruc.isascii()
        and ruc.isdigit()
        and ruc[:2] in RUC_PREFIXES
        and ruc_check_digit(ruc[:10]) == int(ruc[10])
    )


def valid_rucs(text: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """`is_valid_ruc` for many RUC that stand in one buffer, each followed by `|`.

    Args:
        text: the buffer as uint8.
        starts: where each RUC begins, int64 of shape (n,), none in the last 11 bytes of the buffer.

    Returns:
        Booleans of shape (n,).
    """
    if not len(starts):
        return np.zeros(0, dtype=bool)
    cells = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(text, 12)[starts].T)
    digits = cells[:11] - np.uint8(ord("0"))  # what stands below "0" turns round to more than 9
    weighted = sum(np.uint16(w) * digits[i] for i, w in enumerate(RUC_WEIGHTS))
    remainder = 11 - weighted % 11
    return (
        (cells[11] == ord("|"))
        & (digits.max(axis=0) <= 9)
        & np.isin(digits[0] * 10 + digits[1], [int(p) for p in RUC_PREFIXES])
        & (digits[10] == np.where(remainder >= 10, remainder - 10, remainder))
    )


def canonical_ruc(ruc: str) -> tuple[str, str]:
    """(kind, value) of a RUC: the DNI for natural persons with prefix 10, the RUC itself otherwise."""
    return ("DNI", ruc[2:10]) if ruc.startswith("10") and len(ruc) == 11 else ("RUC", ruc)


_NO_MARKS = str.maketrans("", "", ".-")


def canonical(kind: str, value: str) -> tuple[str, str]:
    """One spelling for one identity: no spaces, dots or hyphens, upper case, RUC 10 folded into its DNI."""
    compact = "".join(value.split()).translate(_NO_MARKS).upper()
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
    """The name if it may stay in the warehouse: a RUC 20 of no form in `PERSONS_FORM`; in doubt it is a person's."""
    if name and kind == "RUC" and value.startswith("20") and not _PERSONS_FORM.search(name):
        return name
    return None


class Mask:
    """Hides what could name a person in free text: `known` strings, RUC and DNI numbers, plates, licences."""

    def __init__(self, known: Iterable[str] = ()):
        self._known = [(k.casefold(), k) for k in known if len(k) >= 4]

    def __call__(self, text: str | None) -> str | None:
        if not text or len(text) < 4:
            return text
        folded = text.casefold()
        if told := [secret for known, secret in self._known if known in folded]:
            for secret in sorted(told, key=len, reverse=True):
                text = re.sub(re.escape(secret), "[identidad]", text, flags=re.IGNORECASE)
        if not _LEAST.search(text):
            return text
        return _PERSONAL.sub(lambda found: "[identidad]" if found["number"] else "[placa]", text)


#: For text beside which no identity is known.
mask = Mask()


def mask_filename(name: str) -> str:
    """A file's name with every RUC in it hidden: SUNAT's own naming begins with the issuer's."""
    return _RUC_IN_NAME.sub("RUC", name)


class Keyer:
    """Makes party keys under the vault's secret and remembers the identities behind them.

    One `Keyer` serves one file: what it collected goes to the vault together with that file.
    """

    SCHEMA = pl.Schema({"party_key": pl.String, "identity_kind": pl.String, "identity": pl.String, "name": pl.String})

    def __init__(self, secret: bytes):
        # The library for whole columns takes its key as text, so the HMAC's key is the secret in hexadecimal.
        self._secret = secret.hex()
        self._secret_bytes = self._secret.encode()
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
        return self._hmac(f"{kind}:{value}")[:KEY_LENGTH]

    def digest_all(self, identities: pl.Series) -> pl.Series:
        """`digest` over a series of canonical `kind:value` texts; null stays null."""
        column: Any = pl.col(identities.name)
        return identities.to_frame().select(column.chash.hmac_sha256(key=self._secret).str.head(KEY_LENGTH)).to_series()

    def _hmac(self, message: str) -> str:
        return hmac.digest(self._secret_bytes, message.encode(), "sha256").hex()

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
        return hashlib.sha256(f"antawasi {self._hmac('fingerprint')}".encode()).hexdigest()[:16]

    def collected(self) -> pl.DataFrame:
        """Identities seen since the last call, as (party_key, identity_kind, identity, name); forgets them."""
        columns = (
            list(self._keys.values()),
            [kind for kind, _ in self._keys],
            [value for _, value in self._keys],
            [self._names.get(identity) for identity in self._keys],
        )
        self._keys, self._names = {}, {}
        return pl.DataFrame(dict(zip(self.SCHEMA, columns, strict=True)), schema=self.SCHEMA).sort("party_key")
