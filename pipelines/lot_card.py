"""One lot as a person reads it: where its copper came from and went, who was paid what for it, and where its value stayed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.asking import Column, connect, print_records, table_width
from pipelines.chain_words import LANGUAGES, LINKS, STEPS
from pipelines.errors import AntawasiError
from pipelines.settings import Settings

_BAR, _LEAST_BAR = 32, 5
_MOST_LOTS = 12
_MOST_PAYMENTS = 60

#: Code or name → (Spanish, English).
_TEXTS: dict[str, tuple[str, str]] = LINKS | {step: names for step, (_, names) in STEPS.items()} | {
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
    "ABROAD": ("exterior", "abroad"),
    "observed": ("observado", "observed"),
    "imputed": ("imputado", "imputed"),
    "modelled": ("modelado", "modelled"),
    "provisional": ("provisional", "provisional"),
    "lot": ("Lote", "Lot"),
    "wmt": ("TMH", "wmt"),
    "dmt": ("TMS", "dmt"),
    "registration": ("Inscripción en el día del lote: ", "Registration on the lot's day: "),
    "registration_of_origins": ("Inscripciones en el día de sus lotes de origen: ", "Registrations on the day of its origin lots: "),
    "SIN_INSCRIPCION": ("ninguna en los documentos", "none on the papers"),
    "SIN_ESTADO": ("estado no conocido", "state not known"),
    "SIN_ARCHIVO": ("SIN_ARCHIVO (ningún archivo del registro llega a ese día)", "SIN_ARCHIVO (no file of the registry reaches that day)"),
    "NO_INSCRITO": ("NO_INSCRITO (todavía no figuraba)", "NO_INSCRITO (not yet listed)"),
    "NO_FIGURA": ("NO_FIGURA (en ningún archivo del registro)", "NO_FIGURA (in no file of the registry)"),
    "AUSENTE": ("AUSENTE (ya no figura)", "AUSENTE (no longer listed)"),
    "way": ("Camino del cobre", "Way of the copper"),
    "from": ("viene de", "comes from"),
    "origins": ("lotes de origen", "origin lots"),
    "to": ("va a", "goes to"),
    "others": ("otros", "others"),
    "payments": ("Pagos", "Payments"),
    "payments_of_origins": ("Pagos por sus lotes de origen enteros, desde la bocamina", "Payments for its origin lots whole, from the pit on"),
    "date": ("fecha", "date"),
    "what": ("por qué", "for what"),
    "who": ("de quién a quién", "from whom to whom"),
    "total": ("total US$", "total US$"),
    "part": ("de este lote US$", "of this lot US$"),
    "part_of_origins": ("de sus orígenes US$", "of its origins US$"),
    "key": ("clave", "key"),
    "basis": ("base", "basis"),
    "evidence": ("evidencia", "evidence"),
    "untold": ("ningún documento lo dice", "no paper tells it"),
    "more": ("pagos más; `antawasi query` los muestra", "payments more; `antawasi query` shows them"),
    "bridge": ("Del valor LME al FOB", "From LME to FOB"),
    "bridge_of_origins": ("Del valor LME al FOB, de sus lotes de origen enteros", "From LME to FOB, of its origin lots whole"),
    "own_fob": ("FOB de este lote solo", "FOB of this lot alone"),
    "margins": ("Margen bruto por eslabón", "Gross margin by link"),
    "margins_of_origins": ("Margen bruto por eslabón, de sus lotes de origen enteros", "Gross margin by link, of its origin lots whole"),
    "bounds": ("cotas", "bounds"),
    "missing": ("Falta: ", "Missing: "),
    "to_come": ("Por llegar todavía: ", "Still to come: "),
    "final_sheet": ("la liquidación final", "the final settlement"),
    "final_declaration": ("la DAM regularizada", "the regularised DAM"),
    "complete": ("Todos los documentos están.", "No papers are missing."),
    "findings": ("Los documentos no concuerdan: ", "Papers do not agree: "),
    "MASS_BALANCE_BREAK": ("de una campaña salió otro cobre que el que entró", "of a campaign came other copper than went in"),
    "NEGATIVE_STOCK": ("de un lote salió más que lo que tenía", "more left a lot than it held"),
    "PRODUCT_BEFORE_FEED": ("un lote se alimentó antes de existir", "a lot was fed before it was made"),
    "CYCLE": ("lotes que se alimentan entre sí", "lots that feed one another"),
    "COPPER_EXCEEDS_MASS": ("más cobre que masa", "more copper than mass"),
    "parties": ("Partes que difieren en ventas: ", "Parties that differ on sales: "),
    "INVOICED_BY_ANOTHER": ("factura alguien distinto del operador", "invoiced by another than the operator"),
    "REGISTRATION_OF_ANOTHER": ("la inscripción no es del operador", "the registration is not the operator's"),
    "INVOICED_BY_NO_HOLDER": ("factura alguien distinto del titular de la inscripción", "invoiced by another than the registration's holder"),
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
#: Of all its origin lots: what makes up the margins, which are theirs.
_PAYMENTS = """
    SELECT t.transfer_date, p.kind_code, p.lot_key, p.payer_role_code, p.payee_role_code, t.value_usd, sum(p.value_cents),
        sum(p.low_cents), sum(p.high_cents), p.value_basis_code, t.value_evidence_code, coalesce(t.voucher_count, 0),
        coalesce(t.sheet_id, t.ticket_id), coalesce(t.is_provisional, false), t.transfer_key
    FROM marts.lot_list_payments($origins) AS p
    LEFT JOIN marts.fct_transfer AS t USING (transfer_key, is_synthetic)
    WHERE p.is_synthetic = $simulated AND list_contains($origins, p.origin_lot_key)
    GROUP BY 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15
    HAVING t.transfer_key IS NOT NULL OR sum(p.high_cents) <> 0
    ORDER BY ALL
"""
_REGISTRATIONS = """
    SELECT registry_state, list(lot_key ORDER BY lot_key) FROM marts.fct_lot_value_bridge
    WHERE is_synthetic = $simulated AND list_contains($origins, lot_key) GROUP BY registry_state ORDER BY count(*) DESC, 1
"""
_BRIDGE = f"""
    SELECT {", ".join(f"sum({name}_usd)" for name in STEPS)}, sum(fob_imputed_usd), sum(fob_low_usd), sum(fob_high_usd),
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


def lot(settings: Settings, key: str, language: str, out: Console, keys: bool = False) -> None:
    """Print a lot's way, its payments (with the keys of their transfers, if asked), the bridge from LME to FOB and the margin by link.

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
            _Card(connection, row, language, out, keys).show()
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

    def __init__(self, connection: duckdb.DuckDBPyConnection, row: tuple, language: str, out: Console, keys: bool):
        self._connection, self._row, self._out, self._keys = connection, row, out, keys
        self._column = LANGUAGES.index(language)
        self._values = {"key": row[0], "simulated": row[-1]}
        self._origins = self._ask(_ORIGINS)
        self._is_origin = [k for k, _ in self._origins] in ([], [row[0]])

    def show(self) -> None:
        key, kind, form, date, wmt, dmt, cu_pct, copper_g, department, simulated = self._row
        masses = " · ".join(
            f"{value:,.3f} {self._text(unit)}" for value, unit in ((wmt, "wmt"), (dmt, "dmt"), (cu_pct, "% Cu")) if value is not None
        )  # fmt: skip
        told = [self._text(kind), self._text(form or ""), str(date), masses, _tonnes(copper_g), department]
        mark = self._text("simulated") if simulated else ""
        self._out.print(f"[bold]{self._text('lot')} {escape(key)}[/bold]{mark}", highlight=False)
        self._out.print("  " + " · ".join(str(t) for t in told if t), highlight=False)
        payments = self._of_origins(_PAYMENTS)
        self._registrations()
        self._missing(payments)
        self._way()
        self._payments(payments)
        (sums,) = self._of_origins(_BRIDGE)
        bridge = dict(zip((*STEPS, "imputed", "low", "high", "is_final"), sums, strict=True))
        self._bridge(bridge)
        self._margins("% FOB" if bridge["fob"] else f"% FOB, {self._text('imputed')}")

    def _ask(self, sql: str, **values: Any) -> list[tuple]:
        given = self._values | values
        return self._connection.execute(sql, {k: v for k, v in given.items() if f"${k}" in sql}).fetchall()

    def _of_origins(self, sql: str) -> list[tuple]:
        return self._ask(sql, origins=[k for k, _ in self._origins] or [self._row[0]])

    def _text(self, name: str) -> str:
        return _TEXTS[name][self._column] if name in _TEXTS else name

    def _title(self, name: str) -> str:
        """Of what is told of the lot, or of its origin lots."""
        return self._text(name if self._is_origin else f"{name}_of_origins")

    def _registrations(self) -> None:
        found = self._of_origins(_REGISTRATIONS)
        told = [self._text(state) + (f" ({self._some(lots)})" if not self._is_origin else "") for state, lots in found]
        if told:
            self._out.print(f"  {self._title('registration')}{'; '.join(told)}", highlight=False)

    def _missing(self, payments: list[tuple]) -> None:
        names = [row[1 + self._column] for row in self._of_origins(_MISSING)]
        provisional = {(kind == "EXPORT", lot) for _, kind, lot, *_, is_provisional, _ in payments if is_provisional}
        to_come = [
            f"{self._text(name)} ({self._some(lots)})"
            for name, is_export in (("final_sheet", False), ("final_declaration", True))
            if (lots := sorted(lot for of_export, lot in provisional if of_export == is_export))
        ]
        for title, told in (("missing", names), ("to_come", to_come)):
            if told:
                self._out.print(f"  {self._text(title)}{', '.join(told)}", highlight=False)
        if not names and not to_come:
            self._out.print(f"  {self._text('complete')}", highlight=False)
        for title, mart in _FOUND_IN.items():
            found = self._of_origins(_FINDINGS.format(mart=mart))
            told = [f"{self._text(code)} ({self._some(lots)})" for code, lots in found]
            if told:
                self._out.print("  " + self._text(title) + "; ".join(told), highlight=False)
        self._out.print()

    def _way(self) -> None:
        table = Table(title=self._text("way"), title_justify="left", show_header=False)
        for no_wrap in (False, False, True):
            table.add_column(no_wrap=no_wrap)
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

    def _payments(self, payments: list[tuple]) -> None:
        if not payments:
            return
        columns = [
            Column(self._text("date")), Column(self._text("what"), wraps=True), Column(self._text("lot")),
            Column(self._text("who"), wraps=True), Column(self._text("total"), "right"), Column(self._title("part"), "right"),
            Column(self._text("basis"), wraps=True), Column(self._text("evidence"), wraps=True),
        ]  # fmt: skip
        columns += [Column(self._text("key"))] if self._keys else []
        rows = [self._payment(*payment)[: len(columns)] for payment in payments[:_MOST_PAYMENTS]]
        print_records(self._out, self._title("payments"), columns, rows)
        if len(payments) > _MOST_PAYMENTS:
            self._out.print(f"  {len(payments) - _MOST_PAYMENTS} {self._text('more')}", highlight=False)

    def _payment(
        self, date, kind, lot, payer, payee, total, part, low, high, basis, valued_by, vouchers, paper, provisional, key
    ) -> tuple[str, ...]:
        """A payment in the order of the columns."""
        told = [self._text(basis), self._text("provisional")] if provisional else [self._text(basis)]
        bounds = "" if low == high else f"\n[{_usd(low / 100)}; {_usd(high / 100)}]"
        papers = [f"{vouchers} CdP" if vouchers else None, paper, self._text(valued_by or "")]
        evidence = " · ".join(str(p) for p in papers if p) or (self._text("untold") if date is None else "")
        return (
            str(date or ""), self._text(kind), lot, f"{self._text(payer)} → {self._text(payee)}", _usd(total),
            _usd(part / 100) + bounds, ", ".join(told), evidence, key or "",
        )  # fmt: skip

    def _bridge(self, values: dict[str, Any]) -> None:
        whole = values["lme_contained"]
        if not whole:
            return
        rows = [
            (self._text(name), _usd(sign * values[name]), values[name] / whole)
            for name, (sign, _) in STEPS.items()
            if values[name] or name in ("lme_contained", "fob")
        ]
        low, high = values["low"], values["high"]
        if imputed := values["imputed"]:
            told = f"{_usd(imputed)}\n[{_usd(low - values['fob'])}; {_usd(high - values['fob'])}]"
            rows.append((f"FOB, {self._text('imputed')}", told, Decimal(0)))
        elif low != high:
            told = self._text("bounds" if values["is_final"] else "provisional")
            rows.append((f"FOB, {told}", f"[{_usd(low)}; {_usd(high)}]", Decimal(0)))
        if not self._is_origin and (own := self._ask(_OWN_FOB)[0][0]):
            rows.append((self._text("own_fob"), _usd(own), Decimal(0)))
        self._bars(self._title("bridge"), ("", "US$"), rows)

    def _margins(self, share_title: str) -> None:
        rows = self._of_origins(_MARGINS)
        whole = sum(margin for _, margin, _, _ in rows)
        told = []
        for link, margin, low, high in rows:
            bounds = "" if low == high else f"\n[{_usd(low)}; {_usd(high)}]"
            share = margin / whole if whole else Decimal(0)
            told.append((self._text(link), _usd(margin) + bounds, f"{share * 100:.1f}" if whole else "", share))
        if told:
            self._bars(self._title("margins"), ("", f"US$ [{self._text('bounds')}]", share_title), told)

    def _bars(self, title: str, names: Sequence[str], rows: Sequence[tuple]) -> None:
        """Rows of a label, amounts and, last, a part of the whole as a bar in the room that is left; labels and amounts stay whole."""
        columns = [Column(name, "right" if i else "left") for i, name in enumerate(names)]
        widths = [column.width(row[i] for row in rows) for i, column in enumerate(columns)]
        room = min(_BAR, self._out.width - table_width([*widths, 0]))
        table = Table(
            title=title, title_justify="left", box=box.HEAVY_HEAD if table_width(widths) <= self._out.width else None
        )
        for column in columns:
            table.add_column(escape(column.name), justify=column.justify, no_wrap=True, overflow="fold")
        if room >= _LEAST_BAR:
            table.add_column(no_wrap=True)
        longest = max(1, *(abs(part) for *_, part in rows))
        for *cells, part in rows:
            bar = ["█" * round(abs(part) / longest * room)] if room >= _LEAST_BAR else []
            table.add_row(*map(escape, cells), *bar)
        self._out.print(table, highlight=False)


def _usd(value: Decimal | float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _tonnes(grams: int | None) -> str:
    return "" if grams is None else f"{grams / 1_000_000:,.3f} t Cu"
