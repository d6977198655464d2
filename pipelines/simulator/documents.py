"""Which electronic documents the chain leaves: vouchers for what is paid, waybills for what is carried.

Amounts follow the truth to the cent; a voucher in soles is its dollars at the day's rate, rounded to the cent, so that
dividing by the same rate and rounding gives the dollars back. Parties stand here by their agent's number, vehicles by
their truck's: `papers.py` writes them out.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.settings import DBT_DIR
from pipelines.simulator.dice import Ints, stream, uniform
from pipelines.simulator.flow import DAY
from pipelines.simulator.money import Money
from pipelines.simulator.payments import ABROAD
from pipelines.simulator.world import World

IGV_PCT = 18
#: Detracción by what is sold (SUNAT catalogue 54): non-gold ores, services (milling among them), carriage.
ORE, SERVICE, CARRIAGE = "034", "037", "027"
#: Below this (soles, with IGV) nothing is deposited.
_LEAST_DEPOSIT_PEN = {ORE: 0, SERVICE: 700, CARRIAGE: 400}
_SERIES = {"01": "F", "04": "L", "07": "F", "09": "T", "31": "V"}
#: Numbers of documents are unique in a run: this many places for each ore lot of a chunk.
_PLACES = 64
#: Payments that a voucher of the same amount follows.
_SERVICES = ("BILLER_FEE", "HAULAGE", "MILLING", "LABORATORY", "CONCESSION_FEE")
_SPOT_OF = {
    "HAULAGE": CARRIAGE, "MILLING": SERVICE, "BILLER_FEE": SERVICE, "LABORATORY": SERVICE, "ORE_BETWEEN_COLLECTORS": ORE,
}  # fmt: skip

c = pl.col


@dataclasses.dataclass(frozen=True)
class Documents:
    """One chunk's documents.

    `frame`, one row each: document_id, kind (the transfer's, or `WAYBILL_SENDER`, `WAYBILL_CARRIER`), lot_id,
    type_code, series, number, day, minute, parties by agent (issuer, counterparty, sender, carrier; -1 is abroad,
    null is none), truck, currency_code, amounts in cents, and what else `ubl.DOCUMENT_SCHEMA` asks for.
    `ore`, `concentrate`, `exports`: the rows of `Money` with the papers that belong to them: `invoice_id` (and
    `first_invoice_id` of a provisional sale), `sender_waybill_id`, `carrier_waybill_id`, taxes and deposits.
    """

    frame: pl.DataFrame
    ore: pl.DataFrame
    concentrate: pl.DataFrame
    exports: pl.DataFrame
    milling: pl.DataFrame


def make_documents(world: World, money: Money, chunk: int) -> Documents:
    """All documents of one chunk, numbered."""
    ore = _with_taxes(world, money.ore, chunk)
    waybills = [*_waybills(world, ore, "load_id", "wet_g"), *_waybills(world, money.concentrate, "lot_id", "wet_g")]
    sales = [
        _pit_sales(world, money),
        _services(world, money, "ORE_BETWEEN_COLLECTORS"),
        _ore_sales(world, ore),
        *_provisional_and_final(world, money),
        *(_services(world, money, kind) for kind in _SERVICES),
    ]
    frame = _numbered(world, chunk, [*sales, *waybills])
    return Documents(
        frame=frame,
        ore=_linked(ore, frame, "load_id", {"ORE_AT_PLANT": "invoice_id"}),
        concentrate=_linked(
            money.concentrate, frame, "lot_id", {"CONCENTRATE": "first_invoice_id", "CONCENTRATE_FINAL": "invoice_id"}
        ),
        exports=_linked(money.exports, frame, "lot_id", {"EXPORT": "first_invoice_id", "EXPORT_FINAL": "invoice_id"}),
        milling=frame.filter(c("kind") == "MILLING").select("lot_id", c("document_id").alias("invoice_id")),
    )


# --- taxes and deposits -------------------------------------------------------------------------------


def spot_pct(code: str, days: Ints, world: World) -> np.ndarray:
    """Rate of the deposit on each day, percent, from the seed table."""
    rates = _table("ref_spot_rate").filter(c("detraction_code") == code).sort("valid_from")
    starts = (rates["valid_from"].to_numpy() - np.datetime64(world.epoch)).astype("timedelta64[D]").astype(np.int64)
    return rates["rate_pct"].to_numpy()[np.searchsorted(starts, days, side="right") - 1]


def _with_taxes(world: World, ore: pl.DataFrame, chunk: int) -> pl.DataFrame:
    """Ore sales with IGV, the deposit as the buyer practises it, and the days of advance, deposit and payment.

    Since ores stand in Annex 1 the deposit comes before the transport; late ones are a labelled defect.
    """
    p, rng = world.parameters.trade, stream(world.seed, "payments", chunk)
    n = ore.height
    value = ore["value_cents"].to_numpy()
    igv = _share(value, IGV_PCT)
    on_balance = world.firms.plants["detraction_on_balance"][ore["plant_row"].to_numpy()]
    base = value + igv - np.where(on_balance, ore["advance_cents"].to_numpy(), 0)
    day = ore["settled_day"].to_numpy() + 1
    rate = spot_pct(ORE, day, world)
    pen = _soles(np.round(base * rate / 100).astype(np.int64), ore["pen_per_usd"].to_numpy())
    whole = np.where(ore["toll"].to_numpy(), 0, (pen + 50) // 100 * 100)  # deposits are in whole soles
    paid = day + np.floor(uniform(rng, p.payment_days, n)).astype(np.int64)
    leaves = ore["departs"].to_numpy() // DAY
    first = _table("ref_spot_rate").filter((c("detraction_code") == ORE) & (c("annex") == 1))["valid_from"].min()
    must = leaves >= (np.datetime64(first) - np.datetime64(world.epoch)).astype(np.int64)
    is_late = must & (rng.random(n) < world.parameters.defects.times(world.plan.defects).late_deposit)
    after = np.minimum(paid, day + rng.integers(0, 4, n))
    return ore.with_columns(
        pl.Series("igv_cents", igv),
        pl.Series("detraction_base_code", np.where(on_balance, "SALDO", "TOTAL")),
        pl.Series("detraction_pct", rate),
        pl.Series("detraction_pen_cents", whole),
        pl.Series("deposit_day", np.where(must & ~is_late, leaves - rng.integers(0, 3, n), after)),
        pl.Series("is_late_deposit", is_late & ~ore["toll"].to_numpy()),
        pl.Series("advance_day", leaves - rng.integers(1, 6, n)),
        pl.Series("paid_day", paid),
    )


def _table(name: str) -> pl.DataFrame:
    """A seed table with validity dates."""
    path = DBT_DIR / "seeds" / f"{name}.csv"
    return pl.read_csv(path, schema_overrides={"detraction_code": pl.String}, try_parse_dates=True)


def _share(cents: Ints, pct: int) -> Ints:
    """`pct` percent of whole cents, half up."""
    return (cents * pct + 50) // 100


def _soles(usd_cents: Ints, pen_per_usd: np.ndarray) -> Ints:
    return np.floor(usd_cents * pen_per_usd + 0.5).astype(np.int64)


# --- vouchers -----------------------------------------------------------------------------------------


def _voucher(world: World, frame: pl.DataFrame, kind: str, **columns: pl.Expr) -> pl.DataFrame:
    """Rows of `frame` as vouchers: the given columns, amounts from `usd_cents`, IGV and deposit by type and code."""
    made = frame.select(pl.lit(kind).alias("kind"), **columns)
    day = made["day"].to_numpy()
    rate = np.round(world.price("pen_per_usd", day), 4)
    in_soles = (made["currency_code"] == "PEN").to_numpy()
    usd = made["usd_cents"].to_numpy()
    net = np.where(in_soles, _soles(usd, rate), usd)
    taxed = ((made["type_code"] != "04") & (made["counterparty"] != ABROAD)).to_numpy()
    igv = np.where(taxed, _share(net, IGV_PCT), 0)
    made = made.with_columns(
        pl.Series("net_cents", net), pl.Series("igv_cents", igv), pl.Series("payable_cents", net + igv)
    )
    if "detraction_code" in made.columns and "detraction_pen_cents" not in made.columns:
        code = (*made["detraction_code"].drop_nulls().head(1), ORE)[0]  # of one kind of voucher there is one code
        total = np.where(in_soles, net + igv, _soles(net + igv, rate))
        pct = spot_pct(code, day, world)
        due = (np.round(total * pct / 100).astype(np.int64) + 50) // 100 * 100
        asked = total >= _LEAST_DEPOSIT_PEN[code] * 100
        made = made.with_columns(
            pl.Series("detraction_pct", pct),
            pl.Series("detraction_pen_cents", due),
            pl.when(pl.Series(asked)).then("detraction_code").alias("detraction_code"),
        )
    return made


def _pit_sales(world: World, money: Money) -> pl.DataFrame:
    """Operators invoice where they may; else the collector issues a purchase settlement (04), or nobody anything."""
    sold = money.pit_sales.filter(c("voucher") != "")
    is_04 = c("voucher") == "04"
    return _voucher(
        world, sold, "ORE_AT_PIT", lot_id=c("lot_id"), type_code=c("voucher"), day=c("pit_day"),
        issuer=pl.when(is_04).then("collector_id").otherwise("operator_id"),
        counterparty=pl.when(is_04).then("operator_id").otherwise("collector_id"),
        usd_cents=c("value_cents"), currency_code=pl.when(is_04).then(pl.lit("PEN")).otherwise(pl.lit("USD")),
        form=c("form"), quantity_g=c("wet_g"), registration_id=c("registration_id"), payment_form=pl.lit("Contado"),
        detraction_code=pl.when(is_04).then(None).otherwise(pl.lit(ORE)), own_registration_id=c("registration_id"), status=c("status"),
    )  # fmt: skip


def _ore_sales(world: World, ore: pl.DataFrame) -> pl.DataFrame:
    return _voucher(
        world, ore.filter(~c("toll")), "ORE_AT_PLANT", lot_id=c("load_id"), type_code=pl.lit("01"), day=c("settled_day") + 1,
        issuer=c("invoicing_id"), counterparty=c("plant_id"), usd_cents=c("value_cents"), currency_code=pl.lit("USD"),
        form=c("form"), quantity_g=(c("payable_t") * 1e6).round().cast(pl.Int64), registration_id=c("used_registration_id"),
        own_registration_id=c("registration_id"), status=c("status"),
        payment_form=pl.lit("Credito"), due_day=c("paid_day"), detraction_code=pl.lit(ORE), detraction_pct=c("detraction_pct"),
        detraction_pen_cents=c("detraction_pen_cents"), waybill_of=c("load_id"),
    )  # fmt: skip


def _provisional_and_final(world: World, money: Money) -> list[pl.DataFrame]:
    """Concentrates and exports are invoiced provisionally, then a further invoice or a credit note brings the rest."""
    lots = money.concentrate.with_columns(
        c("paid_first_cents").alias("first"), (c("final_value_cents") - c("paid_first_cents")).alias("rest"),
        c("provisional_day").alias("first_day"), c("owner_id").alias("issuer"), c("trader_id").alias("counterparty"),
    )  # fmt: skip
    shipped = money.exports.with_columns(
        c("provisional_value_cents").alias("first"), (c("final_value_cents") - c("provisional_value_cents")).alias("rest"),
        c("shipped_day").alias("first_day"), c("regularised_day").alias("final_day"), c("trader_id").alias("issuer"),
        pl.lit(ABROAD).cast(pl.Int64).alias("counterparty"),
    )  # fmt: skip
    made = []
    for kind, frame in (("CONCENTRATE", lots), ("EXPORT", shipped)):
        common = {
            "lot_id": c("lot_id"), "issuer": c("issuer"), "counterparty": c("counterparty"), "form": c("form"),
            "currency_code": pl.lit("USD"), "quantity_g": c("dry_g"), "payment_form": pl.lit("Contado"),
        }  # fmt: skip
        spot = {"detraction_code": pl.lit(ORE)} if kind == "CONCENTRATE" else {}
        made.append(
            _voucher(
                world, frame, kind, type_code=pl.lit("01"), day=c("first_day"), usd_cents=c("first"),
                waybill_of=c("lot_id") if kind == "CONCENTRATE" else pl.lit(None, dtype=pl.String), **common, **spot,
            )
        )  # fmt: skip
        rest = frame.filter(c("rest") != 0)
        for sign, type_code in ((1, "01"), (-1, "07")):
            made.append(
                _voucher(
                    world, rest.filter(c("rest").sign() == sign), f"{kind}_FINAL", type_code=pl.lit(type_code),
                    day=c("final_day"), usd_cents=c("rest").abs(), affects_kind=pl.lit(kind), **common, **(spot if type_code == "01" else {}),
                )
            )  # fmt: skip
    return made


def _services(world: World, money: Money, kind: str) -> pl.DataFrame:
    """Vouchers that follow a payment as it is: resales and services."""
    paid = money.transfers.filter(c("kind") == kind)
    spot = {"detraction_code": pl.lit(_SPOT_OF[kind])} if kind in _SPOT_OF else {}
    is_ore = kind == "ORE_BETWEEN_COLLECTORS"
    return _voucher(
        world, paid, kind, lot_id=c("lot_id"), type_code=pl.lit("01"), day=c("day"), issuer=c("invoicing_id"),
        counterparty=c("payer_id"), usd_cents=c("usd_cents"),
        currency_code=pl.lit("PEN" if kind in ("HAULAGE", "LABORATORY") else "USD"),
        quantity_g=c("dry_g") if is_ore else pl.lit(None, dtype=pl.Int64), payment_form=pl.lit("Contado"), **spot,
    )  # fmt: skip


# --- waybills -----------------------------------------------------------------------------------------


def _waybills(world: World, carried: pl.DataFrame, lot: str, mass: str) -> list[pl.DataFrame]:
    """The sender's (09) and the carrier's (31) waybill of every load or product lot."""
    is_ore = lot == "load_id"
    if is_ore:  # who sends is who invoices; ore that is milled on toll is sent by its owner
        people = world.people.registrations["district_code"]
        carried = carried.with_columns(
            pl.when("toll").then("owner_id").otherwise("invoicing_id").alias("sender"),
            c("plant_id").alias("receiver"),
            pl.Series("origin_ubigeo", people.gather(carried["registration_id"])),
            pl.when("toll").then(pl.lit("13")).otherwise(pl.lit("01")).alias("reason"),
        )
    else:
        carried = carried.with_columns(
            c("owner_id").alias("sender"), c("trader_id").alias("receiver"),
            pl.Series("origin_ubigeo", _seat(world, carried["plant_id"])), pl.lit("01").alias("reason"),
        )  # fmt: skip
    carried = carried.with_columns(pl.Series("destination_ubigeo", _seat(world, carried["receiver"])))
    common = {
        "lot_id": c(lot), "day": c("departs") // DAY, "minute": c("departs") % DAY, "counterparty": c("receiver"), "form": c("form"),
        "quantity_g": c(mass), "gross_weight_g": c(mass), "truck": c("truck"), "origin_ubigeo": c("origin_ubigeo"),
        "destination_ubigeo": c("destination_ubigeo"), "transfer_reason_code": c("reason"),
        **(
            {"registration_id": c("used_registration_id"), "own_registration_id": c("registration_id"), "status": c("status")}
            if is_ore else {}
        ),
    }  # fmt: skip
    sent = carried.select(
        pl.lit("WAYBILL_SENDER").alias("kind"), pl.lit("09").alias("type_code"), c("sender").alias("issuer"),
        c("haulier_id").alias("carrier"), **common,
    )  # fmt: skip
    hauled = carried.select(
        pl.lit("WAYBILL_CARRIER").alias("kind"), pl.lit("31").alias("type_code"), c("haulier_id").alias("issuer"),
        c("sender"), pl.col(lot).alias("waybill_of"), **common,
    )  # fmt: skip
    return [sent, hauled]


def _seat(world: World, agents: pl.Series) -> pl.Series:
    return world.agents["ubigeo_code"].gather(agents.cast(pl.Int64))


# --- numbers and references ---------------------------------------------------------------------------


def _numbered(world: World, chunk: int, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """All documents with their number: issuers count on by type, in a series of the chunk's own."""
    frame = pl.concat([part for part in parts if part.height], how="diagonal_relaxed").with_row_index("at")
    minutes = stream(world.seed, "office hours", chunk).integers(8 * 60, 18 * 60, frame.height)
    frame = frame.with_columns(
        (c("at").cast(pl.Int64) + chunk * world.plan.chunk_lots * _PLACES).alias("document_id"),
        pl.coalesce("minute", pl.lit(pl.Series(minutes))).alias("minute"),
        pl.concat_str(c("type_code").replace_strict(_SERIES), pl.lit(_base36(chunk + 1))).alias("series"),
    )
    assert frame.height < world.plan.chunk_lots * _PLACES, "more documents than places for their numbers"
    frame = frame.sort("issuer", "type_code", "day", "minute", "at").with_columns(
        (pl.int_range(pl.len()).over("issuer", "type_code") + 1).alias("number")
    )
    return _referred(frame.sort("at").drop("at"))


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "".join(digits[number // 36**place % 36] for place in (2, 1, 0))


def _referred(frame: pl.DataFrame) -> pl.DataFrame:
    """Documents with the number of the waybill or the invoice that they name.

    A sale and a carrier's waybill name the sender's waybill, a carriage its carrier's, a final voucher its first one.
    """
    spelled = pl.format("{}-{}", "series", "number")

    def numbers(kinds: list[str], *names: pl.Expr) -> pl.DataFrame:
        return frame.filter(c("kind").is_in(kinds)).select(*names)

    sent = numbers(["WAYBILL_SENDER"], c("lot_id").alias("waybill_of"), spelled.alias("sent"))
    carried = numbers(["WAYBILL_CARRIER"], pl.lit("HAULAGE").alias("kind"), "lot_id", spelled.alias("carried"))
    first = numbers(
        ["CONCENTRATE", "EXPORT"], c("kind").alias("affects_kind"), "lot_id", spelled.alias("affected_document")
    )
    return (
        frame.join(sent, on="waybill_of", how="left", maintain_order="left")
        .join(carried, on=["kind", "lot_id"], how="left", maintain_order="left")
        .join(first, on=["affects_kind", "lot_id"], how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("sent", "carried").alias("related_waybill"),
            pl.when(c("sent").is_not_null()).then(pl.lit("09"))
            .when(c("carried").is_not_null()).then(pl.lit("31")).alias("related_waybill_type"),
        )
        .drop("sent", "carried")
    )  # fmt: skip


def _linked(rows: pl.DataFrame, frame: pl.DataFrame, lot: str, kinds: dict[str, str]) -> pl.DataFrame:
    """`rows` with the numbers of their documents, null where there is none."""
    wanted = kinds | {"WAYBILL_SENDER": "sender_waybill_id", "WAYBILL_CARRIER": "carrier_waybill_id"}
    for kind, name in wanted.items():
        found = frame.filter(c("kind") == kind).select(c("lot_id").alias(lot), c("document_id").alias(name))
        rows = rows.join(found, on=lot, how="left", maintain_order="left")
    return rows
