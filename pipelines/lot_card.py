"""One lot as a person reads it: where its copper came from and went, who was paid what for it, and where its value stayed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.asking import connect
from pipelines.errors import AntawasiError
from pipelines.settings import Settings

LANGUAGES = ("es", "en")
_BAR = 32
_MOST_LOTS = 12
_MOST_PAYMENTS = 60

#: Code or name → (Spanish, English).
_TEXTS: dict[str, tuple[str, str]] = {
    "PIT": ("lote en bocamina", "lot at the pit"),
    "LOAD": ("carga", "load"),
    "PRODUCT": ("producto", "product"),
    "TAILINGS": ("relave", "tailings"),
    "UNACCOUNTED": ("cobre sin origen en los papeles", "copper without an origin on paper"),
    "ROM_OXIDO": ("mineral de mina, óxido", "ore as mined, oxide"),
    "ROM_SULFURO": ("mineral de mina, sulfuro", "ore as mined, sulphide"),
    "ROM_MIXTO": ("mineral de mina, mixto", "ore as mined, mixed"),
    "SELECCIONADO": ("mineral seleccionado", "hand-sorted ore"),
    "CEMENTO": ("cemento de cobre", "cement copper"),
    "CONCENTRADO": ("concentrado", "concentrate"),
    "CATODO": ("cátodo", "cathode"),
    "VOUCHER": ("según comprobante", "by voucher"),
    "SHEET": ("según liquidación", "by sheet"),
    "ORE_AT_PIT": ("venta en bocamina", "sale at the pit"),
    "ORE_BETWEEN_COLLECTORS": ("venta entre acopiadores", "sale between collectors"),
    "ORE_AT_PLANT": ("venta a la planta", "sale to the plant"),
    "CONCENTRATE": ("venta del producto", "sale of the product"),
    "EXPORT": ("exportación", "export"),
    "HAULAGE": ("transporte", "haulage"),
    "MILLING": ("maquila", "milling"),
    "BILLER_FEE": ("comisión del facturador", "biller's fee"),
    "CONCESSION_FEE": ("retribución al titular", "concession holder's fee"),
    "LABORATORY": ("laboratorio", "laboratory"),
    "OPERATOR": ("operador", "operator"),
    "CONCESSION_HOLDER": ("titular", "concession holder"),
    "COLLECTOR": ("acopiador", "collector"),
    "BILLER": ("facturador", "biller"),
    "HAULIER": ("transportista", "haulier"),
    "PLANT": ("planta", "plant"),
    "TRADER": ("comercializadora", "trader"),
    "ABROAD": ("exterior", "abroad"),
    "observed": ("observado", "observed"),
    "imputed": ("imputado", "imputed"),
    "modelled": ("modelado", "modelled"),
    "provisional": ("provisional", "provisional"),
    "lot": ("Lote", "Lot"),
    "way": ("Camino del cobre", "Way of the copper"),
    "from": ("viene de", "comes from"),
    "origins": ("lotes de origen", "origin lots"),
    "to": ("va a", "goes to"),
    "others": ("otros", "others"),
    "payments": ("Pagos", "Payments"),
    "date": ("fecha", "date"),
    "what": ("por qué", "for what"),
    "who": ("de quién a quién", "from whom to whom"),
    "total": ("total US$", "total US$"),
    "part": ("de este lote US$", "of this lot US$"),
    "basis": ("base", "basis"),
    "evidence": ("evidencia", "evidence"),
    "untold": ("ningún documento lo dice", "no paper tells it"),
    "more": ("pagos más; `antawasi query` los muestra", "payments more; `antawasi query` shows them"),
    "bridge": ("Del valor LME al FOB", "From LME to FOB"),
    "bridge_of_origins": ("Del valor LME al FOB, de sus lotes de origen enteros", "From LME to FOB, of its origin lots whole"),
    "lme_contained": ("valor LME del cobre contenido", "LME value of the copper contained"),
    "metallurgical_loss": ("pérdida metalúrgica", "metallurgical loss"),
    "assay_difference": ("diferencia de ensaye", "assay difference"),
    "payability_loss": ("pérdida de pagabilidad", "payability loss"),
    "tc_rc": ("tratamiento y refinación", "treatment and refining"),
    "penalties": ("penalidades", "penalties"),
    "credits": ("créditos por oro y plata", "credits for gold and silver"),
    "qp_effect": ("efecto del período cuotacional", "effect of the quotational period"),
    "unexplained": ("sin explicar", "unexplained"),
    "not_followed": ("no seguido hasta una exportación", "not followed to an export"),
    "fob": ("FOB", "FOB"),
    "own_fob": ("FOB de este lote solo", "FOB of this lot alone"),
    "margins": ("Margen bruto por eslabón", "Gross margin by link"),
    "margins_of_origins": ("Margen bruto por eslabón, de sus lotes de origen enteros", "Gross margin by link, of its origin lots whole"),
    "bounds": ("cotas US$", "bounds US$"),
    "missing": ("Faltan documentos: ", "Papers are missing: "),
    "complete": ("Todos los documentos están.", "No papers are missing."),
    "findings": ("Los documentos no concuerdan: ", "Papers do not agree: "),
    "MASS_BALANCE_BREAK": ("de una campaña salió otro cobre que el que entró", "of a campaign came other copper than went in"),
    "NEGATIVE_STOCK": ("de un lote salió más que lo que tenía", "more left a lot than it held"),
    "PRODUCT_BEFORE_FEED": ("un lote se alimentó antes de existir", "a lot was fed before it was made"),
    "CYCLE": ("lotes que se alimentan entre sí", "lots that feed one another"),
    "COPPER_EXCEEDS_MASS": ("más cobre que masa", "more copper than mass"),
    "parties": ("Partes que difieren en ventas: ", "Parties that differ on sales: "),
    "INVOICED_BY_ANOTHER": ("factura otro que el operador", "invoiced by another than the operator"),
    "REGISTRATION_OF_ANOTHER": ("la inscripción no es del operador", "the registration is not the operator's"),
    "INVOICED_BY_NO_HOLDER": ("factura otro que el titular de la inscripción", "invoiced by another than the registration's holder"),
    "simulated": (" · DATOS SIMULADOS / SIMULATED", " · SIMULATED / DATOS SIMULADOS"),
}  # fmt: skip

_LOT = """
    SELECT lot_key, lot_kind_code, product_form_code, first_date, mass_wmt, mass_dmt, copper_g / mass_dmt / 10000 AS cu_pct,
        copper_g, coalesce(department_name, department_code), is_synthetic
    FROM intermediate.int_lot__measures
    LEFT JOIN (FROM marts.dim_place SELECT department_code, department_name WHERE place_level = 'department') USING (department_code)
    WHERE lot_key IN ($key, upper($key)) ORDER BY is_synthetic
"""
_ORIGINS = """
    SELECT origin_lot_key, copper_g FROM intermediate.int_lot__genealogy
    WHERE lot_key = $key AND is_synthetic = $simulated ORDER BY copper_g DESC, origin_lot_key
"""
_PARENTS = """
    SELECT from_lot_key, sum(copper_g)::BIGINT AS copper_g FROM intermediate.int_lot__edges
    WHERE to_lot_key = $key AND is_synthetic = $simulated GROUP BY 1 ORDER BY 2 DESC, 1
"""
#: An origin lot's copper is known in every lot that has it; of others only in those that they were fed to.
_ONWARD = """
    SELECT lots.lot_key, lots.lot_kind_code, onward.copper_g FROM (
        SELECT lot_key, copper_g FROM intermediate.int_lot__genealogy
        WHERE origin_lot_key = $key AND lot_key <> $key AND is_synthetic = $simulated
        UNION ALL
        SELECT to_lot_key, sum(copper_g)::BIGINT FROM intermediate.int_lot__edges
        WHERE from_lot_key = $key AND is_synthetic = $simulated
            AND NOT EXISTS (FROM intermediate.int_lot__genealogy WHERE origin_lot_key = $key AND is_synthetic = $simulated)
        GROUP BY to_lot_key
    ) AS onward JOIN intermediate.int_lot__measures AS lots USING (lot_key) WHERE lots.is_synthetic = $simulated
    ORDER BY CASE lots.lot_kind_code WHEN 'LOAD' THEN 1 WHEN 'PRODUCT' THEN 2 ELSE 3 END, onward.copper_g DESC, lots.lot_key
"""
_PAYMENTS = """
    SELECT t.transfer_date, p.kind_code, p.lot_key, p.payer_role_code, p.payee_role_code, t.value_usd, sum(p.value_cents),
        sum(p.low_cents), sum(p.high_cents), p.value_basis_code, t.value_evidence_code, coalesce(t.voucher_count, 0),
        coalesce(t.sheet_id, t.ticket_id), coalesce(t.is_provisional, false)
    FROM marts.lot_payments($key) AS p LEFT JOIN marts.fct_transfer AS t USING (transfer_key, is_synthetic)
    WHERE p.is_synthetic = $simulated
    GROUP BY t.transfer_key, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14
    HAVING t.transfer_key IS NOT NULL OR sum(p.high_cents) <> 0
    ORDER BY ALL
"""
_STEPS = (
    ("lme_contained", 1), ("metallurgical_loss", -1), ("assay_difference", -1), ("payability_loss", -1), ("tc_rc", -1),
    ("penalties", -1), ("credits", 1), ("qp_effect", 1), ("unexplained", 1), ("not_followed", -1), ("fob", 1),
)  # fmt: skip
_BRIDGE = f"""
    SELECT {", ".join(f"sum({name}_usd)" for name, _ in _STEPS)}, sum(fob_imputed_usd), sum(fob_low_usd), sum(fob_high_usd),
        bool_and(is_fob_final)
    FROM marts.fct_lot_value_bridge WHERE is_synthetic = $simulated AND list_contains($origins, lot_key)
"""
_MARGINS = """
    SELECT link_code, sum(gross_margin_usd), sum(gross_margin_low_usd), sum(gross_margin_high_usd)
    FROM marts.fct_lot_link_margin WHERE is_synthetic = $simulated AND list_contains($origins, lot_key)
    GROUP BY link_code ORDER BY 2 DESC, 1
"""
_MISSING = """
    SELECT DISTINCT rank, name_es, name_en FROM intermediate.int_lot__missing
    JOIN reference.lot_missing_codes USING (missing_code)
    WHERE is_synthetic = $simulated AND list_contains($origins, lot_key) ORDER BY rank
"""


_FINDINGS = """
    SELECT finding_code, list(DISTINCT lot_key ORDER BY lot_key) FROM marts.{mart}
    WHERE is_synthetic = $simulated AND (lot_key = $key OR lot_key IN (
        SELECT lot_key FROM intermediate.int_lot__genealogy WHERE is_synthetic = $simulated AND list_contains($origins, origin_lot_key)
    )) GROUP BY finding_code ORDER BY finding_code
"""
#: Title of a line of the card → mart that its findings are of.
_FOUND_IN = {"findings": "mart_lot_finding", "parties": "mart_transfer_finding"}
_OWN_FOB = """
    SELECT sum(value_usd) FROM marts.fct_transfer
    WHERE is_synthetic = $simulated AND lot_key = $key AND kind_code = 'EXPORT' AND value_basis_code = 'observed'
"""


def lot(settings: Settings, key: str, language: str, out: Console) -> None:
    """Print a lot's way, its payments, the bridge from LME to FOB and the margin by link.

    Raises:
        AntawasiError: no lot has that key, or the language is not one of `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise AntawasiError(f"Language {language!r} is not known. What to do: use one of {', '.join(LANGUAGES)}.")
    connection = connect(settings)
    try:
        found = connection.execute(_LOT, {"key": key}).fetchall()
        if not found:
            raise AntawasiError(_unknown(connection, key))
        for row in found:
            _Card(connection, row, language, out).show()
    finally:
        connection.close()


def _unknown(connection: duckdb.DuckDBPyConnection, key: str) -> str:
    """What to say of a key that no lot has, with keys that look like it."""
    like = connection.execute(
        "SELECT lot_key FROM intermediate.int_lot__measures ORDER BY levenshtein(lot_key, upper($key)), lot_key LIMIT 3",
        {"key": key},
    ).fetchall()
    shown = f"; the nearest are {', '.join(k for (k,) in like)}" if like else ""
    return (
        f"There is no lot {key!r}{shown}. What to do: give the code as it travels on the papers (M at the pit, L a load, K a "
        'product); `antawasi query "SELECT lot_key, lot_kind_code FROM marts.dim_lot"` lists them.'
    )


class _Card:
    """One lot, measured or simulated, ready to be printed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, row: tuple, language: str, out: Console):
        self._connection, self._row, self._out = connection, row, out
        self._column = LANGUAGES.index(language)
        self._values = {"key": row[0], "simulated": row[-1]}
        self._origins = self._ask(_ORIGINS)
        self._is_origin = [k for k, _ in self._origins] in ([], [row[0]])

    def show(self) -> None:
        key, kind, form, date, wmt, dmt, cu_pct, copper_g, department, simulated = self._row
        masses = " · ".join(
            f"{value:,.3f} {unit}" for value, unit in ((wmt, "wmt"), (dmt, "dmt"), (cu_pct, "% Cu")) if value is not None
        )  # fmt: skip
        told = [self._text(kind), self._text(form or ""), str(date), masses, _tonnes(copper_g), department]
        mark = self._text("simulated") if simulated else ""
        self._out.print(f"[bold]{self._text('lot')} {escape(key)}[/bold]{mark}", highlight=False)
        self._out.print("  " + " · ".join(str(t) for t in told if t), highlight=False)
        self._missing()
        self._way()
        self._payments()
        (sums,) = self._of_origins(_BRIDGE)
        bridge = dict(zip((*(name for name, _ in _STEPS), "imputed", "low", "high", "is_final"), sums, strict=True))
        self._bridge(bridge)
        self._margins("% FOB" if bridge["fob"] else f"% FOB, {self._text('imputed')}")

    def _ask(self, sql: str, **values: Any) -> list[tuple]:
        given = self._values | values
        return self._connection.execute(sql, {k: v for k, v in given.items() if f"${k}" in sql}).fetchall()

    def _of_origins(self, sql: str) -> list[tuple]:
        return self._ask(sql, origins=[k for k, _ in self._origins] or [self._row[0]])

    def _text(self, name: str) -> str:
        return _TEXTS[name][self._column] if name in _TEXTS else name

    def _missing(self) -> None:
        names = [row[1 + self._column] for row in self._of_origins(_MISSING)]
        told = self._text("missing") + ", ".join(names) if names else self._text("complete")
        self._out.print(f"  {told}", highlight=False)
        for title, mart in _FOUND_IN.items():
            found = self._of_origins(_FINDINGS.format(mart=mart))
            told = [f"{self._text(code)} ({self._some(lots)})" for code, lots in found]
            if told:
                self._out.print("  " + self._text(title) + "; ".join(told), highlight=False)
        self._out.print()

    def _way(self) -> None:
        table = _table(self._text("way"), header=False)
        parents, onward = self._ask(_PARENTS), self._ask(_ONWARD)
        if parents:
            table.add_row(self._text("from"), *self._lots([(k, g) for k, g in parents]))
            table.add_row(self._text("origins"), *self._lots(self._origins))
        for kind in dict.fromkeys(k for _, k, _ in onward):
            lots = [(lot, g) for lot, k, g in onward if k == kind]
            table.add_row(f"{self._text('to')}: {self._text(kind)}", *self._lots(lots))
        if table.row_count:
            self._out.print(table)

    def _lots(self, lots: list[tuple[str, int]]) -> tuple[str, str]:
        """(lots with their copper, copper of all)."""
        told = [f"{escape(lot)} ({_tonnes(grams)})" for lot, grams in lots[:_MOST_LOTS]]
        if rest := lots[_MOST_LOTS:]:
            told.append(f"{len(rest)} {self._text('others')} ({_tonnes(sum(g for _, g in rest))})")
        return ", ".join(told), _tonnes(sum(grams for _, grams in lots))

    def _some(self, lots: list[str]) -> str:
        rest = len(lots) - _MOST_LOTS
        others = [f"{rest} {self._text('others')}"] if rest > 0 else []
        return ", ".join([*map(escape, lots[:_MOST_LOTS]), *others])

    def _payments(self) -> None:
        rows = self._ask(_PAYMENTS)
        if not rows:
            return
        table = _table(self._text("payments"))
        for name in ("date", "what", "lot", "who", "total", "part", "basis", "evidence"):
            table.add_column(self._text(name), justify="right" if name in ("total", "part") else "left")
        for row in rows[:_MOST_PAYMENTS]:
            date, kind, lot, payer, payee, total, part, low, high, basis, valued_by, vouchers, paper, provisional = row
            told = [self._text(basis), self._text("provisional")] if provisional else [self._text(basis)]
            bounds = "" if low == high else f"\n[{_usd(low / 100)}; {_usd(high / 100)}]"
            papers = [f"{vouchers} CdP" if vouchers else None, paper, self._text(valued_by or "")]
            evidence = " · ".join(str(p) for p in papers if p) or (self._text("untold") if date is None else "")
            table.add_row(
                str(date or ""), self._text(kind), escape(lot), f"{self._text(payer)} → {self._text(payee)}", _usd(total),
                escape(_usd(part / 100) + bounds), ", ".join(told), escape(evidence),
            )  # fmt: skip
        self._out.print(table)
        if len(rows) > _MOST_PAYMENTS:
            self._out.print(f"  {len(rows) - _MOST_PAYMENTS} {self._text('more')}", highlight=False)

    def _bridge(self, values: dict[str, Any]) -> None:
        if not values["lme_contained"]:
            return
        table = _table(self._text("bridge" if self._is_origin else "bridge_of_origins"), header=False)
        table.add_column(justify="left")
        table.add_column(justify="right")
        table.add_column(no_wrap=True)
        for name, sign in _STEPS:
            value = values[name]
            if value or name in ("lme_contained", "fob"):
                table.add_row(self._text(name), _usd(sign * value), _bar(value, values["lme_contained"]))
        low, high = values["low"], values["high"]
        if imputed := values["imputed"]:
            told = f"{_usd(imputed)} [{_usd(low - values['fob'])}; {_usd(high - values['fob'])}]"
            table.add_row(f"FOB, {self._text('imputed')}", escape(told), "")
        elif low != high:
            told = self._text("bounds" if values["is_final"] else "provisional")
            table.add_row(f"FOB, {told}", escape(f"[{_usd(low)}; {_usd(high)}]"), "")
        if not self._is_origin and (own := self._ask(_OWN_FOB)[0][0]):
            table.add_row(self._text("own_fob"), _usd(own), "")
        self._out.print(table)

    def _margins(self, share_title: str) -> None:
        rows = self._of_origins(_MARGINS)
        whole = sum(margin for _, margin, _, _ in rows)
        if not rows:
            return
        table = _table(self._text("margins" if self._is_origin else "margins_of_origins"))
        for name, justify in (
            ("", "left"),
            ("US$", "right"),
            (share_title, "right"),
            (self._text("bounds"), "right"),
            ("", "left"),
        ):
            table.add_column(name, justify=justify)
        for link, margin, low, high in rows:
            bounds = "" if low == high else f"[{_usd(low)}; {_usd(high)}]"
            share = f"{margin / whole * 100:.1f}" if whole else ""
            table.add_row(self._text(link), _usd(margin), share, escape(bounds), _bar(margin, whole))
        self._out.print(table)


def _table(title: str, header: bool = True) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", show_header=header)


def _usd(value: Decimal | float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _tonnes(grams: int | None) -> str:
    return "" if grams is None else f"{grams / 1_000_000:,.3f} t Cu"


def _bar(value: Decimal, whole: Decimal) -> str:
    """A bar as long as the value's part of the whole, at most a line."""
    return "█" * min(round(abs(value) / whole * _BAR), 2 * _BAR) if whole > 0 else ""
