"""Simulated documents: the structure of real ones, read back to what was written, the same bytes every time."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from decimal import Decimal
from functools import reduce
from pathlib import Path

import polars as pl
import pytest
from lxml import etree

from pipelines.identity import ruc_check_digit
from pipelines.simulator.ubl import DOCUMENT_SCHEMA, LINE_SCHEMA, write_zip
from pipelines.simulator.ubl_elements import WATERMARK
from pipelines.sources import sunat_documents

SAMPLE = Path(__file__).parents[2] / "sample" / "sunat_documents"


def ruc(prefix: str, number: int) -> str:
    ten = f"{prefix}99{number:06d}"
    return f"{ten}{ruc_check_digit(ten)}"


PLANT, TRADER, CARRIER = ruc("20", 1), ruc("20", 2), ruc("20", 3)
MINER = ruc("10", 4)
SALE = {
    "issued_at": dt.datetime(2025, 6, 3, 14, 5, 9), "issuer_id": PLANT, "issuer_name": "PLANTA ÑUSTA & CÍA <SUR> S.A.C.",
    "issuer_ubigeo": "030101", "counterparty_kind": "6", "counterparty_id": TRADER, "counterparty_name": "ACOPIO 100% S.A.",
    "counterparty_ubigeo": "150101", "currency_code": "USD", "line_amount": "1500.00", "igv_amount": "270.00",
    "payable_amount": "1770.00", "payment_form": "Credito", "payment_due_date": dt.date(2025, 7, 3),
    "operation_type_code": "1001", "detraction_code": "034", "detraction_pct": "10.00", "detraction_pen": "655.00",
    "detraction_account": "00-099-999999", "related_waybill": "T001-55", "related_waybill_type": "09",
}  # fmt: skip
HAUL = {
    "issued_at": dt.datetime(2025, 6, 2, 6, 0, 1), "issuer_id": PLANT, "issuer_name": SALE["issuer_name"],
    "counterparty_kind": "6", "counterparty_id": TRADER, "counterparty_name": "ACOPIO 100% S.A.",
    "driver_document": "99000001", "driver_given_names": "NOMBRE", "driver_family_names": "APELLIDO MATERNO",
    "licence": "Q99000001", "plate": "ZZZ999", "second_plate": "ZZY998", "transfer_start_date": dt.date(2025, 6, 2),
    "gross_weight_kg": "33250.500", "origin_ubigeo": "030101", "origin_address": "PARAJE INVENTADO",
    "destination_ubigeo": "150101", "destination_address": "CALLE INVENTADA", "transfer_reason_code": "01",
    "transport_mode_code": "01", "carrier_id": CARRIER, "carrier_name": "TRANSPORTES INVENTADOS E.I.R.L.",
    "note": "Carga de la quincena",
}  # fmt: skip
DOCUMENTS = [
    {"type_code": "01", "series": "F001", "number": 12, **SALE},
    {
        **SALE, "type_code": "04", "series": "L001", "number": 7, "counterparty_kind": "1", "counterparty_id": "99000002",
        "counterparty_name": "APELLIDO SEGUNDO NOMBRE", "counterparty_ubigeo": "030102", "currency_code": "PEN",
        "igv_amount": "0.00", "payable_amount": "1500.00", "payment_form": "Contado", "payment_due_date": None,
        "operation_type_code": "0501", "detraction_code": None, "extraction_ubigeo": "030103",
        "extraction_place": "BOCAMINA Ł-1", "related_waybill": None,
    },
    {
        **SALE, "type_code": "07", "series": "F001", "number": 2, "affected_document": "F001-12", "affected_type_code": "01",
        "credit_reason_code": "09", "detraction_code": None, "related_waybill": None,
    },
    {"type_code": "09", "series": "T001", "number": 55, **HAUL},
    {
        **HAUL, "type_code": "31", "series": "V001", "number": 3, "issuer_id": CARRIER, "issuer_name": HAUL["carrier_name"],
        "sender_id": PLANT, "sender_name": SALE["issuer_name"], "related_waybill": "T001-55", "related_waybill_type": "09",
        "carrier_id": None, "note": None,
    },
]  # fmt: skip
#: Paths, with all below them, that no real sample of the type shows, and why they are written all the same.
DOCUMENTED = (
    "Note",  # the watermark; free text of any document
    "DespatchDocumentReference",  # of an invoice: seen in the older generation
    "PaymentMeans", "PaymentTerms/PaymentPercent",  # the deposit under SPOT
    "InvoiceLine/Item/AdditionalItemProperty", "CreditNoteLine/Item/AdditionalItemProperty",  # catalogue 55
    "Shipment/TransportHandlingUnit/TransportEquipment/AttachedTransportEquipment",  # the second plate
)  # fmt: skip


def frames(documents=None) -> tuple[pl.DataFrame, pl.DataFrame]:
    given = DOCUMENTS if documents is None else documents
    columns = {
        name: [Decimal(v) if isinstance(v := d.get(name), str) and isinstance(kind, pl.Decimal) else v for d in given]
        for name, kind in DOCUMENT_SCHEMA.items()
        if name != "document_id"
    }
    ids = list(range(100, 100 + len(given)))
    lines = [
        {
            "document_id": i, "line_number": n, "item_code": "CU01", "description": "MINERAL DE COBRE < 5 % & ÓXIDO",
            "quantity": Decimal("12.345") * n, "unit_code": "TNE", "unit_price": Decimal("60.753341"),
            "line_amount": Decimal("750.00"), "igv_amount": Decimal("135.00" if d["type_code"] != "04" else "0.00"),
            "product_code_sunat": "11101700" if d["type_code"] != "07" else None,
            "mining_right_id": "010000605L" if n == 1 else None, "mining_right_name": "ESPERANZA" if n == 1 else None,
        }
        for i, d in zip(ids, given, strict=True)
        for n in (1, 2)
    ]  # fmt: skip
    documents_frame = pl.DataFrame({"document_id": ids, **columns}, schema=DOCUMENT_SCHEMA)
    return documents_frame, pl.DataFrame(lines, schema=LINE_SCHEMA)


def read_back(path, context) -> tuple[pl.DataFrame, pl.DataFrame]:
    (batch,) = sunat_documents.parse(path, context)
    return batch.tables[sunat_documents.DOCUMENTS], batch.tables[sunat_documents.LINES]


def paths(root) -> set[str]:
    """Element paths below the root by local names."""
    steps = ([etree.QName(e).localname for e in (*reversed([*x.iterancestors()]), x)] for x in root.iter("{*}*"))
    return {"/".join(s[1:]) for s in steps if len(s) > 1}


def kind_of(root) -> str:
    codes = root.xpath("/*/*[local-name()='InvoiceTypeCode' or local-name()='DespatchAdviceTypeCode']")
    return codes[0].text if codes else "07"


def real(kind: str) -> list[set[str]]:
    """Element paths of every real sample of a type, second generation."""
    roots = [etree.parse(p).getroot() for p in sorted(SAMPLE.glob("2*.xml"))]
    return [
        paths(r) for r in roots if kind_of(r) == kind and r.xpath("/*/*[local-name()='CustomizationID']")[0].text == "2.0"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ubl") / "documents.zip"
    assert write_zip(path, *frames(), seed=7) == len(DOCUMENTS)
    return path


@pytest.fixture(scope="module")
def roots(archive):
    with zipfile.ZipFile(archive) as opened:
        parsed = [etree.fromstring(opened.read(name)) for name in opened.namelist()]
    return {kind_of(root): root for root in parsed}


@pytest.mark.parametrize("kind", ["01", "07", "09", "31"])
def test_structure_is_that_of_real_documents(roots, kind):
    samples, ours = real(kind), paths(roots[kind])
    assert samples
    unseen = ours - set.union(*samples)
    assert not {p for p in unseen if not any(f"{p}/".startswith(f"{d}/") for d in DOCUMENTED)}
    assert not reduce(set.intersection, samples) - ours


def test_settlement_has_its_documented_structure(roots):
    root, ours = roots["04"], paths(roots["04"])
    assert etree.QName(root).localname == "SelfBilledInvoice"
    assert {"DeliveryTerms/DeliveryLocation/LocationTypeCode", "DeliveryTerms/DeliveryLocation/Address/ID"} <= ours
    seller = root.xpath("//*[local-name()='AccountingSupplierParty']//*[@schemeID]")
    assert [(s.get("schemeID"), s.text) for s in seller] == [("1", "99000002")]


@pytest.mark.parametrize(("kind", "price"), [("01", "71.688942"), ("04", "60.753341")])
def test_list_price_holds_the_tax(roots, kind, price):
    assert {p.text for p in roots[kind].xpath("//*[local-name()='AlternativeConditionPrice']/*[1]")} == {price}


def test_archive_is_a_bulk_download(archive):
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
    names = [i.filename for i in infos]
    assert names == sorted(names)
    assert f"{PLANT}-01-F001-12.xml" in names
    assert infos[names.index(f"{PLANT}-01-F001-12.xml")].date_time == (
        2025,
        6,
        3,
        14,
        5,
        8,
    )  # zip counts by two seconds


def test_values_read_back(archive, context):
    documents, lines = read_back(archive, context)
    assert documents["_problem"].null_count() == documents.height == len(DOCUMENTS)
    assert documents["file_name_agrees"].all()
    assert documents["note"].str.contains(WATERMARK, literal=True).all()
    by = {row["document_type_code"]: row for row in documents.iter_rows(named=True)}
    sale, settlement, credit, sent, carried = (by[t] for t in ("01", "04", "07", "09", "31"))
    key = context.keyer.key
    assert (sale["line_extension_amount"], sale["igv_amount"], sale["payable_amount"]) == (
        "1500.00",
        "270.00",
        "1770.00",
    )
    assert (sale["tax_inclusive_amount"], sale["currency_code"], sale["payment_form"]) == ("1770.00", "USD", "Credito")
    assert (sale["detraction_code"], sale["detraction_pct"], sale["detraction_amount"]) == ("034", "10.00", "655.00")
    assert sale["detraction_account_key"] == key("ACCOUNT", "00-099-999999")
    assert json.loads(sale["related_documents"]) == [{"type": "09", "id": "T001-55"}]
    assert (sale["issue_date"], sale["issue_time"]) == ("2025-06-03", "14:05:09")
    assert sale["issuer_name"] == SALE["issuer_name"]
    assert (sale["issuer_key"], sale["counterparty_key"]) == (key("RUC", PLANT), key("RUC", TRADER))
    assert (settlement["issuer_key"], settlement["counterparty_key"]) == (key("RUC", PLANT), key("DNI", "99000002"))
    assert (settlement["extraction_location_type_code"], settlement["extraction_ubigeo_code"]) == ("03", "030103")
    assert (settlement["payable_amount"], settlement["taxable_amount"]) == ("1500.00", None)  # exempt: no IGV subtotal
    assert (settlement["operation_type_code"], settlement["detraction_code"]) == ("0501", None)
    assert (credit["affected_document_id_sunat"], credit["affected_document_type_code"]) == ("F001-12", "01")
    assert credit["credit_reason_code"] == "09"
    for waybill, fields in ((sent, HAUL), (carried, HAUL)):
        assert waybill["gross_weight_kg"] == "33250.500"
        assert waybill["transfer_start_date"] == "2025-06-02"
        assert waybill["origin_ubigeo_code"] == fields["origin_ubigeo"]
        assert waybill["destination_ubigeo_code"] == fields["destination_ubigeo"]
        assert waybill["sender_key"] == key("RUC", PLANT)
        assert waybill["carrier_key"] == key("RUC", CARRIER)
        assert waybill["driver_key"] == key("DNI", "99000001")
        assert waybill["licence_key"] == key("LICENCE", "Q99000001")
        assert (waybill["plate_key"], waybill["second_plate_key"]) == (key("PLATE", "ZZZ999"), key("PLATE", "ZZY998"))
    assert (sent["transport_mode_code"], sent["transfer_reason_code"]) == ("01", "01")
    assert json.loads(carried["related_documents"]) == [{"type": "09", "id": "T001-55"}]

    assert lines.height == 2 * len(DOCUMENTS)
    assert set(lines["quantity"]) == {"12.345", "24.690"}
    assert set(lines["quantity_unit_code"]) == {"TNE"}
    assert set(lines["item_description"]) == {"MINERAL DE COBRE < 5 % & ÓXIDO"}
    vouchers = lines.filter(pl.col("unit_price_amount").is_not_null())
    assert set(vouchers["unit_price_amount"]) == {"60.753341"}
    assert set(vouchers["line_extension_amount"]) == {"750.00"}
    assert sorted(vouchers["igv_amount"].to_list(), key=str) == ["135.00"] * 4 + [None] * 2
    first = lines.filter(pl.col("line_number") == "1")["item_properties"]
    assert all(json.loads(p)["6000"] == "010000605L" and json.loads(p)["6006"] == "ESPERANZA" for p in first)
    second = lines.filter(pl.col("line_number") == "2")["item_properties"].drop_nulls()
    assert not second.str.contains("6000").any()


def test_spellings_follow_the_issuer(tmp_path, context):
    given = [{**DOCUMENTS[0], "issuer_id": ruc("20", 50 + i), "issuer_name": "MINERA ÑANDÚ Ł S.A."} for i in range(40)]
    write_zip(tmp_path / "a.zip", *frames(given), seed=7)
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        texts = [opened.read(name) for name in opened.namelist()]
    for present in (
        b'encoding="utf-8"',
        b'encoding="iso-8859-1"',
        b"<doc:Invoice",
        b"<Invoice",
        b"\n  <cbc:ID>",
        b"><cbc:ID>",
    ):
        assert 0 < sum(present in text for text in texts) <= len(texts)
    signatures = [t[t.index(b"<ds:Signature ") : t.index(b"</ds:Signature>")] for t in texts]
    assert all(3_000 <= len(s) <= 5_000 for s in signatures)
    assert len(set(signatures)) == len(texts)
    documents, _ = read_back(tmp_path / "a.zip", context)
    assert set(documents["issuer_name"]) == {"MINERA ÑANDÚ Ł S.A."}
    assert documents["_problem"].null_count() == 40


def test_same_input_same_bytes(archive, tmp_path):
    documents, lines = frames()
    write_zip(tmp_path / "again.zip", documents.reverse(), lines.reverse(), seed=7)
    write_zip(tmp_path / "other.zip", documents, lines, seed=8)
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()
    assert (tmp_path / "other.zip").read_bytes() != archive.read_bytes()


def test_no_documents_make_an_empty_archive(tmp_path, context):
    documents, lines = frames()
    assert write_zip(tmp_path / "a.zip", documents.clear(), lines.clear(), seed=7) == 0
    assert list(sunat_documents.parse(tmp_path / "a.zip", context)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d, n: (d.drop("note"), n), "missing columns note"),
        (lambda d, n: (d.with_columns(type_code=pl.lit("99")), n), "no known type"),
        (lambda d, n: (pl.concat([d, d.with_columns(document_id=pl.col("document_id") + 50)]), n), "another one"),
        (lambda d, n: (d, n.filter(pl.col("document_id") != 101)), "101: the document has no line"),
        (lambda d, n: (d.filter(pl.col("document_id") != 101), n), "101: the document has lines but"),
        (lambda d, n: (d.with_columns(currency_code=None), n), "'currency_code' is null"),
        (lambda d, n: (d, n.with_columns(description=None)), "'description' is null"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(tmp_path, change, told):
    with pytest.raises(ValueError, match=told):
        write_zip(tmp_path / "a.zip", *change(*frames()), seed=7)
