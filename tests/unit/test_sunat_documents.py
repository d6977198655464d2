"""Electronic documents: expected values are read off the documents themselves; parties may leave as keys only."""

import codecs
import io
import json
import socket
import zipfile
from decimal import Decimal
from string import Template

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from pipelines import lake
from pipelines.contracts import check_rows, contract
from pipelines.errors import FileRefused
from pipelines.identity import Keyer, ruc_check_digit
from pipelines.sources import Context, sunat_documents
from pipelines.sources.sunat_documents import DOCUMENTS, LINES, RECEIPTS
from tests.conftest import FIXTURES, SAMPLE_DIR

SAMPLE = SAMPLE_DIR / "sunat_documents"
XMLS = sorted(p.name for p in SAMPLE.glob("*.xml"))
ANSWER = "R-20600995805-01-F001-3.xml"
REAL = yaml.safe_load((FIXTURES / "sunat_documents" / "expected.yaml").read_text(encoding="utf-8"))
SUNAT, MINEM = "20131312955", "20131368829"  # two real RUC with known check digits
DNI = "40506070"
RUC_10 = f"10{DNI}{ruc_check_digit(f'10{DNI}')}"


def line(number: int, quantity: str, value: str) -> str:
    return (
        f'<cac:InvoiceLine><cbc:ID>{number}</cbc:ID><cbc:InvoicedQuantity unitCode="TNE">{quantity}'
        f'</cbc:InvoicedQuantity><cbc:LineExtensionAmount currencyID="USD">{value}</cbc:LineExtensionAmount>'
        f"<cac:Item><cbc:Description>MINERAL DE COBRE</cbc:Description></cac:Item></cac:InvoiceLine>"
    )


def filled(template: str, **values: str) -> str:
    return Template((FIXTURES / "sunat_documents" / template).read_text(encoding="utf-8")).substitute(values)


def invoice(**values: str) -> str:
    usual = {"doctype": "", "number": "F001-1", "date": "2024-05-03", "kind": "01", "note": "", "issuer": SUNAT}
    usual |= {"scheme": "6", "customer": MINEM, "extra": "", "payable": "1.00", "lines": line(1, "1", "1.00")}
    return filled("invoice.xml", **usual | values)


def settlement(seller: str = DNI, scheme: str = "1") -> str:
    return filled("settlement.xml", seller=seller, scheme=scheme)


def many(count: int) -> list[tuple[str, str]]:
    return [(f"{SUNAT}-01-F001-{i}.xml", invoice(number=f"F001-{i}")) for i in range(1, count + 1)]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def fresh() -> Context:
    return Context(keyer=Keyer(b"k" * 32), filename="test")


def key(identity: str) -> str | None:
    return fresh().keyer.key(*identity.split(" ", 1))


def read(path, context=None) -> dict[str, pl.DataFrame]:
    """All batches of one file, table by table."""
    batches = list(sunat_documents.parse(path, context or fresh()))
    found = {t: [b.tables[t] for b in batches if t in b.tables] for t in (DOCUMENTS, LINES, RECEIPTS)}
    return {t: pl.concat(frames) for t, frames in found.items() if frames}


def only(path, context=None) -> dict:
    return read(path, context)[DOCUMENTS].row(0, named=True)


def judged(path, table=DOCUMENTS):
    """(accepted, rejected) rows of a table by its contract."""
    frame = read(path)[table]
    accepted, rejected = check_rows(contract(table), frame)
    assert accepted.height + rejected.height == frame.height
    return accepted.rows(named=True), rejected.rows(named=True)


def counts(receipt, table):
    return receipt.rows_in[table], receipt.accepted[table], receipt.rejected[table]


def rejected_row(zones, receipt) -> dict:
    return pl.read_parquet(lake.rejected_path(zones.lake, DOCUMENTS, receipt.sha256)).row(0, named=True)


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    return one.keys() == other.keys() and all(one[t].equals(other[t]) for t in one)


def texts(tables) -> str:
    return "\n".join(str(v) for frame in tables.values() for row in frame.iter_rows() for v in row if v is not None)


# --- real documents -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in XMLS if n != ANSWER])
def test_a_real_document(name):
    expected, tables = REAL[name], read(SAMPLE / name)
    (row,) = tables[DOCUMENTS].rows(named=True)
    columns = "document_type_code document_id_sunat issue_date currency_code payable_amount igv_amount"
    assert " ".join(row[c] or "-" for c in columns.split()) == expected["head"]
    keys = {c.removesuffix("_key"): v for c, v in row.items() if c.endswith("_key") and v}
    assert keys == {"document": keys["document"], **{r: key(i) for r, i in expected["parties"].items()}}
    assert {c: row[c] for c in expected["fields"]} == expected["fields"]
    columns = ["quantity", "quantity_unit_code", "line_extension_amount", "igv_amount"]
    assert [" ".join(v or "-" for v in r) for r in tables[LINES].select(columns).iter_rows()] == expected["lines"]
    assert tables[LINES]["line_ordinal"].to_list() == list(range(1, len(expected["lines"]) + 1))
    assert {*tables[LINES]["document_key"]} == {row["document_key"]}
    assert row["file_name_agrees"] is (True if name[:11].isdigit() else None)
    assert not judged(SAMPLE / name)[1] and not judged(SAMPLE / name, LINES)[1]


@pytest.mark.parametrize(
    ("name", "issuer", "told"),
    [
        (ANSWER, "20600995805", ["01", "F001-1", "0", "2016-05-25", "08:22:48", False]),
        ("cdr-rechazo.zip", "20600995805", ["01", "F001-2", "0109", None, None, True]),
        ("cdrGRE.zip", "20000000001", ["09", "T001-1", "0", "2023-01-05", "10:24:00", True]),
    ],
)
def test_an_answer_of_the_tax_office(name, issuer, told):
    (row,) = read(SAMPLE / name)[RECEIPTS].rows(named=True)
    columns = "document_type_code document_id_sunat response_code response_date response_time file_name_agrees"
    assert [row[c] for c in columns.split()] == told and row["issuer_key"] == key(f"RUC {issuer}")
    assert not judged(SAMPLE / name, RECEIPTS)[1]


def test_an_answer_says_why_and_finds_its_document(tmp_path):
    refused = read(SAMPLE / "cdr-rechazo.zip")[RECEIPTS].row(0, named=True)
    assert refused["response_description"] == "El sistema no pudo procesar su solicitud"
    notes = read(SAMPLE / ANSWER)[RECEIPTS]["note"][0]
    assert notes == "4031 - Debe indicar el nombre comercial | 4001 - El numero de RUC del receptor no existe."
    answered = write(tmp_path / "a.xml", invoice(issuer="20600995805", number="F001-00000002"))
    assert refused["document_key"] == only(answered)["document_key"]


def test_a_settlement_is_issued_by_the_buyer_and_names_the_place_of_extraction(tmp_path):
    path = write(tmp_path / f"{SUNAT}-04-L001-7.xml", settlement())
    row = only(path)
    assert (row["document_type_code"], row["document_id_sunat"], row["operation_type_code"]) == ("04", "L001-7", "0501")
    assert row["issuer_key"] == key(f"RUC {SUNAT}") and row["counterparty_key"] == key(f"DNI {DNI}")
    assert (row["extraction_location_type_code"], row["extraction_ubigeo_code"]) == ("03", "030101")
    assert row["issuer_name"] == "PLANTA UNO S.A.C." and row["counterparty_name"] is None and row["file_name_agrees"]
    assert (row["payable_amount"], row["igv_amount"], row["tax_amount"]) == ("812.50", None, "0.00")
    ((good,), bad) = judged(path, LINES)
    assert (good["quantity"], good["quantity_unit_code"], good["unit_price_amount"]) == (Decimal("3.25"), "TNE", 250)
    assert good["item_description"] == "MINERAL DE COBRE DE [identidad]" and not bad
    delivery = "<cac:DeliveryTerms>" + settlement().split("DeliveryTerms>")[1] + "DeliveryTerms>"
    assert only(write(tmp_path / "b.xml", invoice(extra=delivery)))["extraction_ubigeo_code"] is None


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8 with a mark", "ISO-8859-1", "UTF-16", "windows-1252"])
@pytest.mark.parametrize("name", ["20606433094-01-F001-5.xml", ANSWER, "20606433094-31-V001-1.xml"])
def test_any_encoding_gives_the_same_rows(tmp_path, name, encoding):
    data = etree.tostring(etree.parse(SAMPLE / name), encoding=encoding.split()[0], xml_declaration=True)
    marked = codecs.BOM_UTF8 + data if "mark" in encoding else data
    assert same(read(write(tmp_path / name, marked)), read(SAMPLE / name))


def respelled(element, parent, prefixed: bool):
    """A copy with a namespace declared on each element: as the default one, or under a strange prefix."""
    namespace = etree.QName(element).namespace
    nsmap = {f"z{len(namespace) % 7}" if prefixed else None: namespace} if namespace else {}
    made = etree.Element(element.tag, element.attrib, nsmap)
    made.text = element.text
    if parent is not None:
        parent.append(made)
    for child in element.iterchildren(tag=etree.Element):
        respelled(child, made, prefixed)
    return made


@pytest.mark.parametrize("prefixed", [False, True])
@pytest.mark.parametrize("name", XMLS)
def test_any_prefixes_give_the_same_rows(tmp_path, name, prefixed):
    data = etree.tostring(respelled(etree.parse(SAMPLE / name).getroot(), None, prefixed))
    assert b"<cbc:" not in data and (b"<ID>" not in data if prefixed else b"<z" not in data)
    assert same(read(write(tmp_path / name, data)), read(SAMPLE / name))


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(XMLS))
def test_any_order_of_an_archives_members_gives_the_same_rows(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("zip")
    shuffled = read(pack(folder / "a.zip", [(n, (SAMPLE / n).read_bytes()) for n in order]))
    straight = read(pack(folder / "b.zip", [(n, (SAMPLE / n).read_bytes()) for n in XMLS]))
    assert straight[DOCUMENTS].height == 16 and straight[RECEIPTS].height == 1 and same(shuffled, straight)


quantities = st.decimals(min_value=0, max_value=10**10, places=10)
amounts = st.decimals(min_value=-(10**10), max_value=10**10, places=6)


@settings(max_examples=40, deadline=None)
@given(cells=st.lists(st.tuples(quantities, amounts), min_size=1, max_size=30))
def test_every_line_comes_back_with_its_decimals(tmp_path_factory, cells):
    lines = "".join(line(i, f"{q:f}", f"{v:f}") for i, (q, v) in enumerate(cells, start=1))
    path = write(tmp_path_factory.mktemp("lines") / "a.xml", invoice(lines=lines))
    accepted, rejected = judged(path, LINES)
    assert [(r["quantity"], r["line_extension_amount"]) for r in accepted] == cells and not rejected
    assert [r["line_number"] for r in accepted] == [str(i) for i in range(1, len(cells) + 1)]


# --- archives and lone files ----------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1_000, 3])
def test_a_repeated_document_is_rejected_with_its_lines(take, zones, tmp_path, monkeypatch, batch):
    monkeypatch.setattr(sunat_documents, "BATCH_DOCUMENTS", batch)
    longer = invoice(number="F001-00000001", lines=line(1, "1", "1.00") + line(2, "9", "9.00"))
    path = pack(tmp_path / "a.zip", [*many(50), (f"otra/vez/{SUNAT}-01-F001-1.xml", longer)])
    receipt = take("sunat_documents", path)
    assert receipt.status == "accepted", receipt.message
    assert counts(receipt, DOCUMENTS) == (51, 50, 1) and counts(receipt, LINES) == (52, 50, 2)
    told = rejected_row(zones, receipt)
    assert (told["rule"], told["column"]) == ("duplicate", "document_key") and "same key as row 1," in told["reason"]
    assert 9 not in pl.read_parquet(lake.raw_path(zones.lake, LINES, receipt.sha256))["quantity"].to_list()


def test_lines_of_a_bad_document_do_not_stand_under_a_good_one_of_the_same_number(tmp_path):
    bad, good = (filled("waybill.xml", weight=w, unit=u) for w, u in (("7", "LBR"), ("1", "KGM")))
    path = pack(tmp_path / "a.zip", [("a.xml", bad), ("b.xml", good)])
    assert [r["rule"] for r in judged(path)[1]] == ["unit"]
    accepted, rejected = judged(path, LINES)
    assert [r["quantity"] for r in accepted] == [1] and [r["_row_number"] for r in rejected] == [1]


def spoil(data: bytes, name: str, what: str) -> bytes:
    """The archive with one member's packed bytes, name or declared length overwritten."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        header = archive.getinfo(name).header_offset
    entry = data.rindex(name.encode()) - 46  # in the directory at the end
    start, new = {
        "packed bytes": (header + 30 + len(name), b"\xff" * 8),
        "name": (header + 30, b"junio"),
        "declared length": (entry + 24, (100).to_bytes(4, "little")),
    }[what]
    return data[:start] + new + data[start + len(new) :]


@pytest.mark.parametrize(
    "damage", ["cut off", "not XML", "another document", "packed bytes", "name", "declared length"]
)
def test_one_broken_member_is_one_rejected_row_that_names_it(take, zones, tmp_path, damage):
    name = f"mayo/{SUNAT}-01-F001-99.xml"
    content = {"cut off": invoice()[:-30], "not XML": "%PDF-1.4", "another document": "<Order/>"}.get(damage, invoice())
    path = pack(tmp_path / "a.zip", [*many(30), (name, content), ("mayo/dummy", b""), ("leame.pdf", b"%PDF")])
    if damage in ("packed bytes", "name", "declared length"):
        path.write_bytes(spoil(path.read_bytes(), name, damage))
    receipt = take("sunat_documents", path)
    assert counts(receipt, DOCUMENTS) == (31, 30, 1), receipt.message
    told = rejected_row(zones, receipt)
    assert told["verbatim"] == "[RUC]-01-F001-99.xml" and "expected" in told["reason"]


def test_folders_of_an_archive_do_not_matter_but_climbing_out_does(tmp_path):
    flat = read(pack(tmp_path / "a.zip", many(3)))
    assert flat[DOCUMENTS]["file_name_agrees"].to_list() == [True] * 3
    for i, folder in enumerate(("2024/mayo/", "2024\\mayo\\")):
        members = [(folder + name, content) for name, content in many(3)]
        path = pack(tmp_path / f"{i}.zip", [*members, ("__MACOSX/2024/._a.xml", b"\0\5\x16\7")])
        assert same(read(path), flat)
    with pytest.raises(FileRefused, match="climbs out"):
        read(pack(tmp_path / "b.zip", [*many(3), ("../../evil.xml", invoice())]))


@pytest.mark.parametrize("date", ["25/11/2024", "../../../x", "2024-13-01"])
def test_a_date_that_is_none_is_not_taken_for_the_files_own(take, tmp_path, date):
    path = write(tmp_path / "a.xml", invoice(date=date))
    assert sunat_documents.identify(path).period is None and take("sunat_documents", path).status == "refused"
    path = write(tmp_path / "b.xml", invoice(date=date, number="F001-2"))
    assert "expected a date as YYYY-MM-DD" in take("sunat_documents", path, as_of="2024-05-31").message


def test_an_archive_is_dated_by_its_documents_or_else_by_its_packer(tmp_path):
    assert sunat_documents.identify(SAMPLE / "cdrGRE.zip").source_as_of == "2023-01-05"
    assert sunat_documents.identify(SAMPLE / "cdr-rechazo.zip").source_as_of == "2018-09-14"
    data = bytearray(pack(tmp_path / "a.zip", [("a.xml", "<Order/>")]).read_bytes())
    start = data.index(b"PK\1\2") + 14
    data[start : start + 2] = b"\0\0"  # some packers leave the date out
    assert sunat_documents.identify(write(tmp_path / "b.zip", bytes(data))).source_as_of is None


def test_a_document_of_another_month_than_its_folder_is_refused(take, tmp_path):
    receipt = take("sunat_documents", pack(tmp_path / "a.zip", many(2)), period="2024-06")
    assert receipt.status == "refused" and "the content is of 2024-05, the folder says 2024-06" in receipt.message


@pytest.mark.parametrize("cut", [2, 30, 400])
def test_a_lone_broken_document_is_refused(take, tmp_path, cut):
    receipt = take("sunat_documents", write(tmp_path / "factura.xml", invoice()[:-cut]), as_of="2024-05-31")
    assert receipt.status == "refused" and "factura.xml" in receipt.message and "not well-formed" in receipt.message
    assert "Expected: one well-formed XML" in receipt.message and "What to do: ask the issuer" in receipt.message


@pytest.mark.parametrize("note", ["<cbc:Note>&e;</cbc:Note>", '<cbc:Note x="&e;"/>', "<cbc:Note/>"])
@pytest.mark.parametrize("kind", ["bomb", "file", "network", "parameter", "external"])
def test_entities_are_never_followed(tmp_path, kind, note):
    secret = write(tmp_path / "secreto.txt", "CLAVE SECRETA <rota")
    bomb = '<!ENTITY l0 "ja">' + "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/e"
        subset = {
            "bomb": f'[{bomb}<!ENTITY e "&l11;">]',
            "file": f'[<!ENTITY e SYSTEM "{secret.as_uri()}">]',
            "network": f'[<!ENTITY e SYSTEM "{url}">]',
            "parameter": f'[<!ENTITY % p SYSTEM "{url}">%p;<!ENTITY e "x">]',
            "external": f'SYSTEM "{url}"',
        }
        data = invoice(doctype=f"<!DOCTYPE Invoice {subset[kind]}>", note=note)
        with pytest.raises(FileRefused) as refusal:
            read(write(tmp_path / "a.xml", data))
        rows = read(pack(tmp_path / "a.zip", [("a.xml", data), *many(1)]))[DOCUMENTS].rows(named=True)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert [r["_problem"] is None for r in rows] == [True, False]
    told = str(refusal.value) + json.dumps(rows)
    assert kind == "bomb" or "x=" in note or "declares a DTD" in told  # read, the file's text would not be well-formed
    assert "CLAVE SECRETA" not in told and "jajaja" not in told and len(told) < 20_000


NAMES = {"01-F001-1.xml": True, "01-f001-00000001.XML": True, "03-F001-1.xml": False, "01-F001-2.xml": False}


@pytest.mark.parametrize("rest", NAMES)
def test_a_name_that_disagrees_with_the_content_is_told(tmp_path, rest):
    assert only(write(tmp_path / f"{SUNAT}-{rest}", invoice()))["file_name_agrees"] is NAMES[rest]
    assert only(write(tmp_path / f"{MINEM}-{rest}", invoice()))["file_name_agrees"] is False
    assert only(write(tmp_path / f"copia de {rest}", invoice()))["file_name_agrees"] is None


def test_an_answers_name_is_compared_whole(tmp_path):
    names = {"20600995805-01-F001-1": True, "20600995805-01-F001-3": False, f"{MINEM}-01-F001-1": False}
    for name, agrees in names.items():
        path = write(tmp_path / f"R-{name}.xml", (SAMPLE / ANSWER).read_bytes())
        assert read(path)[RECEIPTS]["file_name_agrees"].to_list() == [agrees]


@pytest.mark.parametrize("name", [*XMLS, "cdr-rechazo.zip", "cdrGRE.zip"])
def test_a_real_documents_identities_stay_in_the_keyer(name):
    context = fresh()
    told = texts(read(SAMPLE / name, context))
    for _, kind, identity, person in context.keyer.collected().iter_rows():
        assert identity not in told.replace("-", ""), identity
        assert kind == "RUC" or not person or person not in told
    assert not any(word in told for word in ("PERSONA", "Q9900000", "COW-414", "F2E836", "192-99982"))


def test_people_vehicles_and_licences_leave_as_keys_only(tmp_path):
    note = f"ENTREGAR A persona uno apellido, DNI 99000001, UNIDAD ABC-123, BREVETE Q99000002, RUC {RUC_10}"
    data = (SAMPLE / "20606433094-31-V001-1.xml").read_text("iso-8859-1")
    data = data.replace("<cbc:DespatchAdviceTypeCode", f"<cbc:Note>{note}</cbc:Note><cbc:DespatchAdviceTypeCode", 1)
    data = data.replace("JUEGO DE MESA", "MINERAL DE PERSONA DOS APELLIDO SEGUNDO EN ABC123")
    context = fresh()
    path = write(tmp_path / "PERSONA UNO APELLIDO 99000001 ABC-123.xml", data.encode("iso-8859-1"))
    told = texts(read(path, context))
    for secret in ("PERSONA", "persona", "99000001", "99000002", "ABC123", "ABC-123", RUC_10, "20606433094"):
        assert secret not in told, secret
    assert "ENTREGAR A" in told and "MINERAL DE" in told
    driver = "PERSONA DOS APELLIDO SEGUNDO"
    assert {row[1:] for row in context.keyer.collected().iter_rows()} == {
        ("RUC", "20606433094", "GASPERSOFT EIRL"),
        ("RUC", "20602712592", "CHOCANO CARGO S.A.C."),
        ("DNI", "99000001", "PERSONA UNO APELLIDO"),
        ("DNI", "99000002", driver),
        ("LICENCE", "Q99000002", driver),
        ("PLATE", "ABC123", None),
    }


def test_a_ruc_10_and_its_dni_are_one_party(tmp_path):
    for identity, scheme in ((RUC_10, "6"), (DNI, "1"), (f" {DNI} ", "1")):
        row = only(write(tmp_path / "a.xml", settlement(identity, scheme)))
        assert (row["counterparty_key"], row["counterparty_kind"]) == (key(f"DNI {DNI}"), "DNI")
        assert row["counterparty_name"] is None
    assert only(write(tmp_path / "b.xml", invoice(issuer=RUC_10)))["issuer_key"] == key(f"DNI {DNI}")


@pytest.mark.parametrize(("scheme", "identity"), [("-", "-"), ("0", "0"), ("1", "00000000"), ("1", "")])
def test_a_dummy_identity_is_nobody(tmp_path, scheme, identity):
    context = fresh()
    row = only(write(tmp_path / "a.xml", invoice(scheme=scheme, customer=identity)), context)
    assert row["counterparty_key"] is row["counterparty_kind"] is row["counterparty_name"] is None
    assert {*context.keyer.collected()["identity_kind"]} == {"RUC", "ACCOUNT"}  # the issuer's


@pytest.mark.parametrize("ruc", ["20131312954", "2013131295", "99131312955", "201313129555", "2013131295X"])
def test_an_issuer_without_a_valid_ruc_is_rejected(tmp_path, ruc):
    accepted, (rejected,) = judged(write(tmp_path / "a.xml", invoice(issuer=ruc)))
    assert not accepted and (rejected["rule"], rejected["column"]) == ("ruc_check_digit", "issuer_key")
    assert ruc not in json.dumps(rejected)


@pytest.mark.parametrize("amount", ["100,00", "1.234,56", "1,234.56", "S/ 10", "1 000"])
def test_an_amount_that_is_no_decimal_is_rejected(tmp_path, amount):
    accepted, (bad,) = judged(write(tmp_path / "a.xml", invoice(payable=amount)))
    assert not accepted and (bad["rule"], bad["column"]) == ("type", "payable_amount") and amount in bad["reason"]
    path = write(tmp_path / "b.xml", invoice(lines=line(1, amount, "1.00") + line(2, "1", "1.00")))
    accepted, (bad,) = judged(path, LINES)
    assert [r["line_number"] for r in accepted] == ["2"] and (bad["rule"], bad["column"]) == ("type", "quantity")


@pytest.mark.parametrize("written", ["1.000 KGM 1", "12.3456789 TNE 12345.6789", ".5 TNE 500", "32 TNE 32000"])
def test_weights_are_in_kilograms(tmp_path, written):
    weight, unit, kilograms = written.split()
    ((row,), rejected) = judged(write(tmp_path / "a.xml", filled("waybill.xml", weight=weight, unit=unit)))
    assert row["gross_weight_kg"] == Decimal(kilograms) and not rejected


@pytest.mark.parametrize("written", ["1,5 TNE", "1,5 KGM", "1 LBR", "-1 TNE", "x TNE"])
def test_a_weight_that_cannot_be_read_is_rejected(tmp_path, written):
    weight, unit = written.split()
    accepted, (rejected,) = judged(write(tmp_path / "a.xml", filled("waybill.xml", weight=weight, unit=unit)))
    assert not accepted and rejected["column"] == "gross_weight_kg"


def test_the_current_detraction_and_its_account(tmp_path):
    row = only(write(tmp_path / "a.xml", invoice()))
    columns = (
        "operation_type_code currency_code detraction_code detraction_pct detraction_amount detraction_currency_code"
    )
    assert [row[c] for c in columns.split()] == ["1001", "USD", "034", "10.00", "437.10", "PEN"]
    assert row["detraction_account_key"] == key("ACCOUNT 00-123-456789")


def test_mining_properties_keep_their_own_values_and_personal_ones_are_hidden(tmp_path):
    (kept,) = read(write(tmp_path / "a.xml", settlement()))[LINES]["item_properties"]
    assert json.loads(kept) == {"6000": "01-23456-78", "6004": "22.50", "3054": "[identidad]"}


def test_an_unknown_type_of_document_is_rejected(tmp_path):
    accepted, (rejected,) = judged(write(tmp_path / "a.xml", invoice(kind="99")))
    assert not accepted and rejected["rule"] == "document_type" and "'99'" in rejected["reason"]


def test_nothing_is_asked_for_that_is_not_declared_as_read(tmp_path, monkeypatch):
    """A path that `READ` does not list would be missing in silence."""
    written = [path.rstrip("*") for paths in sunat_documents.READ.values() for path in paths]
    declared = {*written, *(path.partition("@")[0] for path in written), *sunat_documents._PROPERTY}
    declared.add(sunat_documents._PROPERTIES)
    asked = set()

    class Watched(dict):
        def get(self, path, default=None):
            asked.add(path)
            return super().get(path, default)

        def __contains__(self, path):
            asked.add(path)
            return super().__contains__(path)

    walk, groups = sunat_documents._walk, sunat_documents._groups

    def watched_groups(root):
        found = groups(root)
        return found | {"": [Watched(found[""][0])]}

    monkeypatch.setattr(sunat_documents, "_walk", lambda element, step, found: Watched(walk(element, step, found)))
    monkeypatch.setattr(sunat_documents, "_groups", watched_groups)
    packed = pack(tmp_path / "a.zip", [("a.xml", invoice()), ("b.xml", settlement())])
    for path in (packed, *(SAMPLE / name for name in XMLS), *SAMPLE.glob("*.zip")):
        read(path)
    assert len(asked) > 60 and asked - declared == set()
