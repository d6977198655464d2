"""Electronic documents of SUNAT (UBL 2.x): invoices, notes, purchase settlements, waybills, and the tax office's answers.

Input is one XML or a zip of many. Every tree is walked once, below `UBLExtensions` only for the older
generation's additional information; signatures are passed over. Elements are told by local name, so default
and prefixed namespaces read alike. Parties, plates and licences become keys; street addresses are not kept;
free text is masked. A broken member of an archive is one rejected row, not a refused archive.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from lxml import etree

from pipelines.errors import FileRefused
from pipelines.identity import DOCUMENT_KINDS, Mask, canonical, company_name, is_valid_ruc, mask
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import DAMAGED_MEMBER, check_zip, open_zip, read_small, squeeze

DOCUMENTS, LINES, RECEIPTS = "sunat_documents__documents", "sunat_documents__lines", "sunat_documents__receipts"
SOURCE = Source(
    slug="sunat_documents",
    group="intermediary",
    period="month",
    tables=(DOCUMENTS, LINES, RECEIPTS),
    producer="Issuers of electronic documents under SUNAT's UBL formats",
    licence="Confidencial: entregado por las partes",
    attribution="Comprobantes electrónicos (formato UBL de SUNAT) entregados por las partes",
    title_es="Comprobantes y guías electrónicas (SUNAT)",
)

BATCH_DOCUMENTS = 2_000
MAX_XML_BYTES = 20 << 20
TOGETHER_BYTES = 1 << 19
#: Root element -> document type where the document itself carries none.
ROOTS = {
    "Invoice": None,
    "SelfBilledInvoice": "04",
    "CreditNote": "07",
    "DebitNote": "08",
    "DespatchAdvice": None,
    "ApplicationResponse": None,
}
TYPES = ("01", "03", "04", "07", "08", "09", "31")
_LINE = ("InvoiceLine", "CreditNoteLine", "DebitNoteLine", "DespatchLine")
#: Magic, length of the name, length of the extra field of a member's header in a zip.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_FILE_NAME = re.compile(r"(?:R-)?(\d{11})-(\d{2})-([A-Z0-9]{4})-0*(\d+)", re.IGNORECASE)
_ELEVEN_DIGITS = re.compile(r"(?<![0-9])[0-9]{11}(?![0-9])")
_KG = {"KGM": 1, "TNE": 1000}
#: Properties of catalogue 55 that hold people's names and documents, vehicles' plates and numbers, street addresses.
_PERSONAL_PROPERTIES = {
    "3051", "3052", "3054", "3056", "3058", "4007", "4009", "4031", "4033", "4040", "4043", "4045", "4049",
    "5010", "5015", "5018", "5019", "7000", "7007", "7008", "7017",
}  # fmt: skip

#: Of one large element: path -> text of the first leaf that has any, or the texts of all; path@name -> an attribute.
Group = dict[str, Any]
Groups = dict[str, list[Group]]


def identify(path: Path) -> Identified:
    """Period and date of the first document that has a date; else the date of an archive's first member."""
    for _, root, _ in itertools.chain.from_iterable(_roots(path, together_bytes=1)):
        for child in root if root is not None else ():
            if _local(child.tag) in ("IssueDate", "ResponseDate") and (issued := _iso_date(child.text)):
                return Identified(period=issued[:7], source_as_of=issued)
    if zipfile.is_zipfile(path):
        with open_zip(path) as archive:
            stamps = ("{:04}-{:02}-{:02}".format(*m.date_time) for m in check_zip(archive, path) if m.file_size)
            packed = _iso_date(next(stamps, None))
        if packed:
            return Identified(period=packed[:7], source_as_of=packed)
    return Identified()


def _iso_date(text: str | None) -> str | None:
    """The date that `text` begins with, as YYYY-MM-DD; None where it is no date (a packer's month 0, 25/11/2024)."""
    try:
        return dt.date.fromisoformat((text or "").strip()[:10]).isoformat()
    except ValueError:
        return None


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """Batches of `BATCH_DOCUMENTS`; of earlier ones only the keys stay. `_row_number` is a document's ordinal."""
    collected = _Collected(context)
    for document in itertools.chain.from_iterable(map(_walked, _roots(path))):
        collected.add(*document)
        if collected.size >= BATCH_DOCUMENTS:
            yield collected.batch()
    if collected.size:
        yield collected.batch()


def _roots(path: Path, together_bytes: int = TOGETHER_BYTES) -> Iterator[list[tuple[str, Any, str | None]]]:
    """(name, parsed root, problem) of every document: the file itself, or the members of the archive by name.

    A few documents at a time go through each step together, as each step finds the processor's caches warm so.

    Raises:
        FileRefused: a lone document that is no XML, or an archive that may not be opened.
    """
    with open(path, "rb") as handle:
        is_zip = handle.read(2) == b"PK"
    if not is_zip:
        root, problem = _parse_xml(read_small(path, MAX_XML_BYTES))
        if problem:
            raise FileRefused(
                problem.split("|", 2)[2],
                expected="one well-formed XML document without a DTD",
                remedy="ask the issuer for the signed XML again",
                file=path,
            )
        yield [(path.name, root, None)]
        return
    with open_zip(path) as archive:
        for members in _together(check_zip(archive, path), together_bytes):
            yield [
                (name, *_parse_xml(data)) if data is not None else (name, None, problem)
                for name, data, problem in [(name, *_read(archive, member)) for name, member in members]
            ]


def _together(members: Iterable[zipfile.ZipInfo], together_bytes: int) -> Iterator[list[tuple[str, zipfile.ZipInfo]]]:
    """(name without folders, member) of an archive's documents, in lists of about `together_bytes`."""
    chosen, size = [], 0
    for member in members:
        folders, _, name = member.filename.replace("\\", "/").rpartition("/")
        if member.file_size == 0 or not name.lower().endswith(".xml"):
            continue  # portals put empty `dummy` entries and PDFs beside the documents
        if "__MACOSX" in folders.split("/") or name.startswith("._"):
            continue  # a Mac's own notes on the documents, under the documents' names
        chosen.append((name, member))
        size += member.file_size
        if size >= together_bytes:
            yield chosen
            chosen, size = [], 0
    yield chosen


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[bytes | None, str | None]:
    """(bytes, None) or (None, problem) of one member."""
    if member.file_size > MAX_XML_BYTES:
        return (
            None,
            f"xml|member_name|the document has {member.file_size:,} bytes, expected at most {MAX_XML_BYTES:,}",
        )
    try:
        return _unpacked(archive, member), None
    except DAMAGED_MEMBER as error:
        return None, f"xml|member_name|the member is damaged ({str(error)[:80]}), expected a complete one"


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """`archive.read`, with one call where it makes a dozen if the member is deflated and sound; as most are."""
    assert archive.fp is not None
    archive.fp.seek(member.header_offset)
    header = archive.fp.read(_LOCAL_HEADER.size)
    is_plain = member.compress_type == zipfile.ZIP_DEFLATED and member.compress_size <= MAX_XML_BYTES
    if is_plain and len(header) == _LOCAL_HEADER.size:
        magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        name = archive.fp.read(name_bytes + extra_bytes)[:name_bytes]
        packed = archive.fp.read(member.compress_size)
        if magic == b"PK\3\4" and name == member.orig_filename.encode():
            try:
                # no more than is declared, whatever the packed bytes would grow to
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.file_size)
            except zlib.error:
                data = b""
            if len(data) == member.file_size and zlib.crc32(data) == member.CRC:
                return data
    return archive.read(member)


# Not `collect_ids=False`: with it the parser asks for an external DTD after all.
_PARSER = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    remove_comments=True,
    remove_blank_text=True,
)


def _parse_xml(data: bytes) -> tuple[Any, str | None]:
    """(root, None) or (None, problem). Documents with a DTD are refused: entities can blow up or reach out."""
    try:
        root = etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        return None, f"xml|member_name|not well-formed XML ({str(error)[:120]}), expected a complete document"
    if root.getroottree().docinfo.internalDTD is not None:
        return None, "xml|member_name|the document declares a DTD or entities, expected none"
    return root, None


_PARTY = ("PartyIdentification/ID@schemeID", "PartyLegalEntity/RegistrationName", "PartyName/Name")
_PARTY_IN_ROLE = ("CustomerAssignedAccountID@schemeID", "AdditionalAccountID", *(f"Party/{path}" for path in _PARTY))
_REFERENCE = ("ID", "DocumentTypeCode")
_TAX = (
    "TaxAmount", "TaxSubtotal/TaxableAmount*", "TaxSubtotal/TaxAmount*", "TaxSubtotal/TaxCategory/TaxScheme/ID*",
)  # fmt: skip
_PLACE = (
    "DeliveryLocation/LocationTypeCode", "DeliveryLocation/Address/AddressTypeCode", "DeliveryLocation/Address/ID",
)  # fmt: skip
_TOTAL = ("LineExtensionAmount", "TaxInclusiveAmount", "PayableAmount@currencyID")
#: Deductions of advances in SUNAT's catalogue 53: taxed, exonerated, not subject to IGV.
_ADVANCES = ("04", "05", "06")
_QUANTITIES = ("InvoicedQuantity", "CreditedQuantity", "DebitedQuantity", "DeliveredQuantity")
_PROPERTIES = "Item/AdditionalItemProperty"
_PROPERTY = ("NameCode", "Value", "ValueQuantity", "UsabilityPeriod/StartDate", "UsabilityPeriod/StartTime")
_PLATES = (
    "TransportHandlingUnit/TransportEquipment/ID",
    "ShipmentStage/TransportMeans/RoadTransport/LicensePlateID",
    "TransportHandlingUnit/TransportEquipment/AttachedTransportEquipment/ID",
)
#: All that is read of a document: of each large child of its root the leaves by their path of local names, of the
#: small ones ("") the names. `@` names an attribute that is read too, `*` says that every leaf counts and not only the
#: first. What is not listed is passed over unseen: signatures, addresses, list prices.
READ = {
    "": (
        "ID", "IssueDate", "IssueTime", "UBLVersionID", "InvoiceTypeCode@listID", "DespatchAdviceTypeCode", "ProfileID",
        "DocumentCurrencyCode", "Note*", "ResponseDate", "ResponseTime",
    ),
    "AccountingSupplierParty": _PARTY_IN_ROLE,
    "AccountingCustomerParty": _PARTY_IN_ROLE,
    "DespatchSupplierParty": _PARTY_IN_ROLE,
    "DeliveryCustomerParty": _PARTY_IN_ROLE,
    "SenderParty": _PARTY,
    "ReceiverParty": _PARTY,
    "LegalMonetaryTotal": _TOTAL,
    "RequestedMonetaryTotal": _TOTAL,
    "TaxTotal": _TAX,
    "AllowanceCharge": ("AllowanceChargeReasonCode", "Amount"),
    "DiscrepancyResponse": ("ResponseCode", "ReferenceID"),
    "BillingReference": ("InvoiceDocumentReference/ID", "InvoiceDocumentReference/DocumentTypeCode"),
    "DeliveryTerms": _PLACE,
    "Delivery": _PLACE,
    "PaymentTerms": ("ID", "PaymentMeansID", "PaymentPercent", "Amount@currencyID"),
    "PaymentMeans": ("PayeeFinancialAccount/ID",),
    "DespatchDocumentReference": _REFERENCE,
    "AdditionalDocumentReference": _REFERENCE,
    "OrderReference": _REFERENCE,
    "Shipment": (
        "HandlingCode", "GrossWeightMeasure@unitCode", "OriginAddress/ID", "Delivery/DeliveryAddress/ID",
        "Delivery/Despatch/DespatchAddress/ID",
        *(f"Delivery/Despatch/DespatchParty/{path}" for path in _PARTY),
        *(f"ShipmentStage/CarrierParty/{path}" for path in _PARTY),
        "ShipmentStage/TransportModeCode", "ShipmentStage/TransitPeriod/StartDate",
        "ShipmentStage/DriverPerson/ID@schemeID", "ShipmentStage/DriverPerson/FirstName",
        "ShipmentStage/DriverPerson/FamilyName", "ShipmentStage/DriverPerson/IdentityDocumentReference/ID",
        *(f"{path}*" for path in _PLATES),
    ),
    "DocumentResponse": (
        "DocumentReference/ID", "DocumentReference/DocumentTypeCode", "Response/ReferenceID", "Response/ResponseCode",
        "Response/Description",
    ),
    **dict.fromkeys(
        _LINE,
        (
            "ID", *(f"{path}@unitCode" for path in _QUANTITIES), "LineExtensionAmount", "Price/PriceAmount",
            *(f"TaxTotal/{path}" for path in _TAX), "Item/Description", "Item/Name",
            "Item/CommodityClassification/ItemClassificationCode",
        ),
    ),
    # the older generation's, below UBLExtensions
    "AdditionalMonetaryTotal": ("ID", "Percent", "PayableAmount@currencyID"),
    "AdditionalProperty": ("ID", "Value"),
}  # fmt: skip


def _local(tag: Any) -> str:
    """Local name of an element's tag; "" for what is no element."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


class _Step(dict[Any, "_Step | None"]):
    """Where a walk stands: a child's tag -> the step below it, None for a child that is not read."""

    __slots__ = ("attribute", "below", "each", "group", "is_plain", "path")

    def __init__(self, path: str = ""):
        self.path = path  # of a leaf; "" on the way to one
        self.is_plain = False  # the first text alone is read
        self.each = False  # a list of every such leaf's text, not the first text
        self.attribute: str | None = None  # of a leaf
        self.group: _Step | None = None  # an element whose leaves stay together: a group of its own
        self.below: dict[str, _Step] = {}

    @classmethod
    def towards(cls, paths: Iterable[str]) -> _Step:
        start = cls()
        for written in paths:
            path, _, attribute = written.rstrip("*").partition("@")
            at = start.at(path)
            at.path, at.each, at.attribute = path, written.endswith("*"), attribute or None
            at.is_plain = not at.each and not attribute
        return start

    def at(self, path: str) -> _Step:
        step = self
        for name in path.split("/"):
            step = step.below.setdefault(name, _Step())
        return step

    def __missing__(self, tag: Any) -> _Step | None:
        """Resolved once for each spelling: a few hundred tags make up every document."""
        step = self.below.get(_local(tag))
        if len(self) < 1_000:
            self[tag] = step
        return step


_STEPS = {name: _Step.towards(paths) for name, paths in READ.items()}
_ROOT = _Step.towards((*READ[""], *(name for name in READ if name), "UBLExtensions"))
for _name in _LINE:
    _item_property = _STEPS[_name].at(_PROPERTIES)
    _item_property.path, _item_property.group = _PROPERTIES, _Step.towards(_PROPERTY)


def _take(leaf: Any, step: _Step, found: Group) -> None:
    """Put into `found` what is read of a leaf: its text without spaces around it, or None where it has none."""
    path = step.path
    if step.each:
        found.setdefault(path, []).append(leaf.text)
        return
    if not found.get(path):
        text = leaf.text
        found[path] = text.strip() or None if text else None
    if step.attribute is not None:
        found.setdefault(f"{path}@{step.attribute}", leaf.get(step.attribute))


def _walk(element: Any, step: _Step, found: Group) -> Group:
    """The leaves below `element` that are read, by path."""
    for child in element:  # this loop sees most elements of every document
        below = step[child.tag]
        if below is None:
            continue
        path = below.path
        if not path:
            _walk(child, below, found)
        elif below.is_plain:  # `_take`, without the call
            if not found.get(path):
                text = child.text
                found[path] = text.strip() or None if text else None
        elif below.group is None:
            _take(child, below, found)
        else:
            found.setdefault(path, []).append(_walk(child, below.group, {}))
    return found


def _walked(parsed: list[tuple[str, Any, str | None]]) -> list[tuple[str, str, Groups, str | None]]:
    """(name, name of the root, groups, problem) of every document; its tree is needed no more."""
    walked: list[tuple[str, str, Groups, str | None]] = []
    for name, root, problem in parsed:
        kind = _local(root.tag) if root is not None else ""
        if problem is None and kind not in ROOTS:
            problem = f"root|document_type_code|found <{kind[:40]}>, expected one of {', '.join(ROOTS)}"
        walked.append((name, kind, {} if problem else _groups(root), problem))
    return walked


def _groups(root: Any) -> Groups:
    """The root's children: small ones under "" and each larger one as a group under its name."""
    top: Group = {}
    groups: Groups = {"": [top]}
    for child in root:
        below = _ROOT[child.tag]
        if below is None:
            continue
        name = below.path
        if name == "UBLExtensions":
            for information in child.iterdescendants("{*}AdditionalInformation"):
                for item in information:
                    kind = _local(item.tag)
                    if kind in ("AdditionalMonetaryTotal", "AdditionalProperty"):
                        groups.setdefault(kind, []).append(_walk(item, _STEPS[kind], {}))
        elif not len(child):
            _take(child, below, top)
        elif name in _STEPS:
            groups.setdefault(name, []).append(_walk(child, _STEPS[name], {}))
    return groups


def _first(groups: Groups, name: str) -> Group:
    found = groups.get(name)
    return found[0] if found else {}


def document_number(text: str | None) -> str | None:
    """Series and number without the number's leading zeros, as documents refer to one another."""
    if not text:
        return None
    series, dash, number = text.strip().upper().partition("-")
    return f"{series}-{number.lstrip('0') or '0'}" if dash else series


class _Party:
    """One party of a document: its identity as written, and what may stay of it."""

    __slots__ = ("identity", "key", "kind", "name", "raw_name", "secrets", "written")

    def __init__(self, context: Context, scheme: str | None, identity: str | None, name: str | None):
        self.identity = (identity or "").strip()
        self.raw_name = squeeze(name or "") or None
        self.kind = self.key = self.name = self.written = None
        if self.identity and self.identity.strip("-0"):
            self.written = DOCUMENT_KINDS.get(scheme or ("6" if len(self.identity) == 11 else "1"), "FOREIGN_TAX")
            self.kind, value = canonical(self.written, self.identity)
            self.key = context.keyer.key(self.written, self.identity, self.raw_name)
            self.name = company_name(self.kind, value, self.raw_name)
        #: What free text must not repeat of this party.
        self.secrets = tuple(s for s in (self.identity, None if self.name else self.raw_name) if s)


class _Parties:
    """Parties under one keyer. The same few companies stand in most documents of a batch: each is looked at once."""

    def __init__(self, context: Context):
        self.keyer = context.keyer
        self._context = context
        self._known: dict[tuple[str | None, str | None, str | None], _Party] = {}

    def party(self, scheme: str | None, identity: str | None, name: str | None) -> _Party:
        stated = (scheme, identity, name)
        known = self._known.get(stated)
        if known is None:
            known = self._known[stated] = _Party(self._context, *stated)
        return known


def _party(parties: _Parties, group: Group, inner: str = "Party/") -> _Party:
    """A party of either generation: `PartyIdentification/ID@schemeID`, or `CustomerAssignedAccountID`."""
    get = group.get
    scheme = get(f"{inner}PartyIdentification/ID@schemeID") or get("CustomerAssignedAccountID@schemeID")
    return parties.party(
        scheme or get("AdditionalAccountID"),
        get(f"{inner}PartyIdentification/ID") or get("CustomerAssignedAccountID"),
        get(f"{inner}PartyLegalEntity/RegistrationName") or get(f"{inner}PartyName/Name"),
    )


class _Collected:
    """Documents read since the last batch. Until `batch`, `document_key` holds what the key is made of."""

    def __init__(self, context: Context):
        self._context = context
        self._ordinal = 0
        self._first: dict[str, int] = {}  # document's identity -> ordinal of the document that has it
        self._reset()

    def _reset(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = {DOCUMENTS: [], LINES: [], RECEIPTS: []}
        self._parties = _Parties(self._context)  # anew, as the keyer forgets whom it has seen with each batch
        self.size = 0

    def batch(self) -> Batch:
        frames = {t: pl.DataFrame(rows, schema=_SCHEMAS[t]) for t, rows in self._rows.items() if rows or t == DOCUMENTS}
        self._reset()
        keyed = self._context.keyer.digest_all
        return Batch({t: frame.with_columns(keyed(frame["document_key"])) for t, frame in frames.items()})

    def add(self, name: str, kind: str, groups: Groups, problem: str | None) -> None:
        self._ordinal += 1
        self.size += 1
        if problem:
            shown = _masked_name(name)
            row = {"_row_number": self._ordinal, "member_name": shown, "_problem": problem, "_verbatim": shown}
            self._rows[DOCUMENTS].append(row)
            return
        top = groups[""][0]
        if self._context.period and (issued := top.get("IssueDate")):
            self._context.check_period(issued[:7], _masked_name(name) or "")
        if kind == "ApplicationResponse":
            receipt = _receipt(self._parties, groups, top, name)
            self._rows[RECEIPTS].append(receipt | {"_row_number": self._ordinal})
            return
        document, lines = _document(self._parties, self._ordinal, kind, groups, top, name)
        self._mark_repeat(document)
        self._rows[DOCUMENTS].append(document)
        if document["_problem"]:
            # A bad document's lines must not stand under the good one that has the same key.
            lost = "parent|document_key|the document of this line was rejected"
            lines = [line | {"_problem": lost} for line in lines]
        self._rows[LINES] += lines

    def _mark_repeat(self, document: dict[str, Any]) -> None:
        """The contract's check sees one batch; an archive's second copy of a document may come batches later."""
        key = document["document_key"]
        if key and not document["_problem"]:
            first = self._first.setdefault(key, self._ordinal)
            if first != self._ordinal:
                document["_problem"] = f"duplicate|document_key|same key as row {first}, expected one row per key"
                document["_verbatim"] = _verbatim(document)


def _masked_name(name: str, hide: Mask = mask) -> str | None:
    """The file's name without the RUC and other identities in it."""
    return hide(_ELEVEN_DIGITS.sub("[RUC]", name))


def _verbatim(document: dict[str, Any]) -> str:
    """What a rejected document's row shows of it."""
    return f"{document['member_name']}; type {document['document_type_code']}; {document['document_id_sunat']}"


def _name_agrees(name: str, ruc: str | None, code: str | None, number: str | None) -> bool | None:
    """Whether RUC-TYPE-SERIES-NUMBER of the file's name is what the content says; None for other names."""
    match = _FILE_NAME.match(name)
    if match is None:
        return None
    return (match[1], match[2], f"{match[3].upper()}-{match[4]}") == (ruc, code, number)


def _document(
    parties: _Parties, ordinal: int, kind: str, groups: Groups, top: Group, name: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    code = top.get("InvoiceTypeCode") or top.get("DespatchAdviceTypeCode") or ROOTS[kind]
    number = document_number(top.get("ID"))
    if kind == "DespatchAdvice":
        issuer, fields, secrets = _despatch(parties, groups, code)
    else:
        issuer, fields, secrets = _voucher(parties, groups, top, code)
    hide = Mask(secrets)
    key = f"DOCUMENT:{issuer.identity}-{code}-{number}" if issuer.identity and number else None
    problem = fields.pop("_problem", None)
    if code not in TYPES:
        problem = f"document_type|document_type_code|found '{(code or '')[:20]}', expected one of {', '.join(TYPES)}"
        code = None
    elif (issuer.written == "RUC" or len(issuer.identity) == 11) and not is_valid_ruc(issuer.identity):
        problem = "ruc_check_digit|issuer_key|the issuer's RUC has a wrong length, prefix or check digit, expected a valid one"
    document = {
        "_row_number": ordinal,
        "document_key": key,
        "member_name": _masked_name(name, hide),
        "document_type_code": code,
        "document_id_sunat": number,
        "issue_date": top.get("IssueDate"),
        "issue_time": (top.get("IssueTime") or "")[:8] or None,
        "ubl_version": top.get("UBLVersionID"),
        "file_name_agrees": _name_agrees(name, issuer.identity, code, number),
        "issuer_key": issuer.key,
        "issuer_kind": issuer.kind,
        "issuer_name": issuer.name,
        "note": hide(_joined(top.get("Note"))),
        "_problem": problem,
        **fields,
    }
    document["_verbatim"] = _verbatim(document) if problem else None
    found = [line for name in _LINE if name in groups for line in groups[name]]
    return document, [_line(ordinal, key, i, line, hide) for i, line in enumerate(found, start=1)]


def _joined(texts: list[str | None] | None) -> str | None:
    return " | ".join(filter(None, (squeeze(text or "") for text in texts or ()))) or None


def _voucher(
    parties: _Parties, groups: Groups, top: Group, code: str | None
) -> tuple[_Party, dict[str, Any], list[str]]:
    """Invoices, notes and purchase settlements. In a settlement (04) the customer issues and the seller supplies."""
    supplier = _party(parties, _first(groups, "AccountingSupplierParty"))
    customer = _party(parties, _first(groups, "AccountingCustomerParty"))
    issuer, other = (customer, supplier) if code == "04" else (supplier, customer)
    total = _first(groups, "LegalMonetaryTotal") or _first(groups, "RequestedMonetaryTotal")
    taxable, igv, taxes = _taxes(groups.get("TaxTotal", []))
    response = _first(groups, "DiscrepancyResponse")
    affected = _first(groups, "BillingReference")
    # In a settlement the goods are delivered where they were extracted; in an invoice, wherever the customer wants.
    extraction = _first(groups, "DeliveryTerms") or _first(groups, "Delivery") if code == "04" else {}
    fields = {
        "counterparty_key": other.key,
        "counterparty_kind": other.kind,
        "counterparty_name": other.name,
        "currency_code": top.get("DocumentCurrencyCode") or total.get("PayableAmount@currencyID"),
        "operation_type_code": top.get("InvoiceTypeCode@listID") or top.get("ProfileID"),
        "line_extension_amount": total.get("LineExtensionAmount"),
        "taxable_amount": taxable,
        "igv_amount": igv,
        "tax_amount": taxes,
        "tax_inclusive_amount": total.get("TaxInclusiveAmount"),
        "payable_amount": total.get("PayableAmount"),
        "advance_amount": _advances(groups.get("AllowanceCharge", [])),
        **_payment(parties, groups),
        "credit_reason_code": response.get("ResponseCode"),
        "affected_document_id_sunat": document_number(
            response.get("ReferenceID") or affected.get("InvoiceDocumentReference/ID")
        ),
        "affected_document_type_code": affected.get("InvoiceDocumentReference/DocumentTypeCode"),
        "related_documents": _related(
            groups, "DespatchDocumentReference", "AdditionalDocumentReference", "OrderReference"
        ),
        "extraction_location_type_code": extraction.get("DeliveryLocation/LocationTypeCode")
        or extraction.get("DeliveryLocation/Address/AddressTypeCode"),
        "extraction_ubigeo_code": extraction.get("DeliveryLocation/Address/ID"),
    }
    return issuer, fields, [*supplier.secrets, *customer.secrets]


def _taxes(totals: list[Group]) -> tuple[str | None, str | None, str | None]:
    """(taxable, IGV, all taxes). The older generation has one total for each tax, the current one a single total."""
    igv = next((found for total in totals if (found := _igv(total))[1] is not None), (None, None))
    amounts = [amount for total in totals if (amount := total.get("TaxAmount"))]
    if len(amounts) < 2:
        return *igv, amounts[0] if amounts else None
    return *igv, _sum(amounts)


def _advances(allowances: list[Group]) -> str | None:
    """What the document deducts since it was invoiced in advance (catalogue 53), without IGV; its lines hold it still."""
    of_advances = (a for a in allowances if (a.get("AllowanceChargeReasonCode") or "").strip() in _ADVANCES)
    amounts = [amount for allowance in of_advances if (amount := allowance.get("Amount"))]
    return _sum(amounts) if amounts else None


def _sum(amounts: list[str]) -> str:
    try:
        return f"{sum(map(Decimal, amounts)):f}"
    except InvalidOperation:
        return " + ".join(amounts)  # no number, as the contract's check will say


def _igv(group: Group, prefix: str = "") -> tuple[str | None, str | None]:
    """(taxable, IGV) amounts of the subtotals under tax scheme 1000; the former only where every subtotal has one."""
    schemes = group.get(f"{prefix}TaxSubtotal/TaxCategory/TaxScheme/ID", [])
    amounts = group.get(f"{prefix}TaxSubtotal/TaxAmount", [])
    bases = group.get(f"{prefix}TaxSubtotal/TaxableAmount", [])
    for i, scheme in enumerate(schemes):
        if (scheme or "").strip() == "1000" and len(amounts) == len(schemes):
            return (bases[i] if len(bases) == len(schemes) else None), amounts[i]
    return None, None


def _payment(parties: _Parties, groups: Groups) -> dict[str, Any]:
    """Form of payment and SPOT deposit (detracción), of either generation. The bank account is keyed: it is personal."""
    fields: dict[str, Any] = {}
    for terms in groups.get("PaymentTerms", ()):
        what = (terms.get("ID") or "").lower()
        if what.startswith("detrac"):
            fields |= {
                "detraction_code": terms.get("PaymentMeansID"),
                "detraction_pct": terms.get("PaymentPercent"),
                "detraction_amount": terms.get("Amount"),
                "detraction_currency_code": terms.get("Amount@currencyID"),
            }
        elif what == "formapago" and "payment_form" not in fields:
            fields["payment_form"] = terms.get("PaymentMeansID")
    account = next((a for m in groups.get("PaymentMeans", ()) if (a := m.get("PayeeFinancialAccount/ID"))), None)
    for total in groups.get("AdditionalMonetaryTotal", ()):
        if total.get("ID") == "2003":
            fields |= {
                "detraction_pct": total.get("Percent"),
                "detraction_amount": total.get("PayableAmount"),
                "detraction_currency_code": total.get("PayableAmount@currencyID"),
            }
    for item in groups.get("AdditionalProperty", ()):
        if item.get("ID") == "3000":
            fields["detraction_code"] = item.get("Value")
        elif item.get("ID") == "3001":
            account = account or item.get("Value")
    fields["detraction_account_key"] = parties.keyer.key("ACCOUNT", account)
    return fields


def _related(groups: Groups, *names: str) -> str | None:
    """Referenced documents as JSON [{"type", "id"}]; the parties that issued them are not kept."""
    found = [
        {"type": g.get("DocumentTypeCode"), "id": mask(document_number(g.get("ID")))}
        for n in names
        for g in groups.get(n, ())
        if g.get("ID")
    ]
    return orjson.dumps(found).decode() if found else None


def _despatch(parties: _Parties, groups: Groups, code: str | None) -> tuple[_Party, dict[str, Any], list[str]]:
    """Waybills of the sender (09) and the carrier (31), both generations."""
    issuer = _party(parties, _first(groups, "DespatchSupplierParty"))
    recipient = _party(parties, _first(groups, "DeliveryCustomerParty"))
    shipment = _first(groups, "Shipment")
    sender = _party(parties, shipment, "Delivery/Despatch/DespatchParty/")
    carrier = _party(parties, shipment, "ShipmentStage/CarrierParty/")
    names = [
        t
        for t in (
            shipment.get("ShipmentStage/DriverPerson/FirstName"),
            shipment.get("ShipmentStage/DriverPerson/FamilyName"),
        )
        if t
    ]
    driver = parties.party(
        shipment.get("ShipmentStage/DriverPerson/ID@schemeID"),
        shipment.get("ShipmentStage/DriverPerson/ID"),
        " ".join(names),
    )
    licence = shipment.get("ShipmentStage/DriverPerson/IdentityDocumentReference/ID")
    plates = [text.strip() for path in _PLATES for text in shipment.get(path, ()) if text and text.strip()]
    keys = [parties.keyer.key("PLATE", p) for p in plates]
    weight, problem = _weight_kg(shipment)
    fields = {
        "sender_key": sender.key if code == "31" else issuer.key,
        "counterparty_key": recipient.key,
        "counterparty_kind": recipient.kind,
        "counterparty_name": recipient.name,
        "carrier_key": issuer.key if code == "31" else carrier.key,
        "carrier_name": issuer.name if code == "31" else carrier.name,
        "driver_key": driver.key,
        "licence_key": parties.keyer.key("LICENCE", licence, driver.raw_name),
        "plate_key": keys[0] if keys else None,
        "second_plate_key": keys[1] if len(keys) > 1 else None,
        "gross_weight_kg": weight,
        "transport_mode_code": shipment.get("ShipmentStage/TransportModeCode"),
        "transfer_reason_code": shipment.get("HandlingCode"),
        "transfer_start_date": shipment.get("ShipmentStage/TransitPeriod/StartDate"),
        "origin_ubigeo_code": shipment.get("Delivery/Despatch/DespatchAddress/ID") or shipment.get("OriginAddress/ID"),
        "destination_ubigeo_code": shipment.get("Delivery/DeliveryAddress/ID"),
        "related_documents": _related(groups, "AdditionalDocumentReference", "OrderReference"),
        "_problem": problem,
    }
    people = [s for p in (issuer, recipient, sender, carrier, driver) for s in p.secrets]
    return issuer, fields, [*people, *names, *plates, *([licence] if licence else [])]


def _weight_kg(shipment: Group) -> tuple[str | None, str | None]:
    """(gross weight in kg as text, problem): KGM as it is, TNE times 1000, any other unit a problem."""
    written = shipment.get("GrossWeightMeasure")
    if written is None:
        return None, None
    unit = shipment.get("GrossWeightMeasure@unitCode") or "KGM"
    if unit not in _KG:
        return None, f"unit|gross_weight_kg|found unit '{unit[:10]}', expected KGM or TNE"
    if unit == "KGM":
        return written, None
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", written):
        return None, f"type|gross_weight_kg|found '{written[:20]}', expected a number with a decimal point"
    return f"{Decimal(written).scaleb(3):f}", None


def _line(document: int, key: str | None, ordinal: int, group: Group, hide: Mask) -> dict[str, Any]:
    quantity = next(filter(group.__contains__, _QUANTITIES), _QUANTITIES[0])
    properties = dict(told for p in group.get(_PROPERTIES, ()) if (told := _property(p, hide)))
    return {
        "_row_number": document,
        "document_key": key,
        "line_number": group.get("ID") or str(ordinal),
        "line_ordinal": ordinal,
        "item_description": hide(squeeze(group.get("Item/Description") or group.get("Item/Name") or "") or None),
        "quantity": group.get(quantity),
        "quantity_unit_code": group.get(f"{quantity}@unitCode"),
        "unit_price_amount": group.get("Price/PriceAmount"),
        "line_extension_amount": group.get("LineExtensionAmount"),
        "igv_amount": _igv(group, "TaxTotal/")[1],
        "product_code_sunat": group.get("Item/CommodityClassification/ItemClassificationCode"),
        "item_properties": orjson.dumps(properties).decode() if properties else None,
    }


def _property(item: Group, hide: Mask) -> tuple[str, str] | None:
    """(code, value) of one property of catalogue 55; None where one of the two is missing."""
    code = item.get("NameCode")
    value = next(filter(None, map(item.get, _PROPERTY[1:])), None)
    if not code or not value:
        return None
    return code, "[identidad]" if code in _PERSONAL_PROPERTIES else hide(squeeze(value)) or ""


def _receipt(parties: _Parties, groups: Groups, top: Group, name: str) -> dict[str, Any]:
    """The tax office's answer (CDR) to one document."""
    answer = _first(groups, "DocumentResponse")
    number = document_number(answer.get("DocumentReference/ID") or answer.get("Response/ReferenceID"))
    match = _FILE_NAME.match(name)
    named = (match[1], match[2]) if match else (None, None)
    told = [_first(groups, p).get("PartyIdentification/ID") for p in ("ReceiverParty", "SenderParty")]
    # The issuer receives the answer to a voucher, but stands as the sender in the answer to a waybill.
    ruc = named[0] if named[0] in told else (told[0] or named[0])
    code = answer.get("DocumentReference/DocumentTypeCode") or named[1]
    issuer = parties.party("6", ruc, None)
    hide = Mask(issuer.secrets)
    return {
        "member_name": _masked_name(name),
        "receipt_id_sunat": top.get("ID"),
        "document_key": f"DOCUMENT:{ruc}-{code}-{number}" if ruc and code and number else None,
        "document_id_sunat": number,
        "document_type_code": code,
        "issuer_key": issuer.key,
        "response_code": answer.get("Response/ResponseCode"),
        "response_description": hide(answer.get("Response/Description")),
        "note": hide(_joined(top.get("Note"))),
        "response_date": top.get("ResponseDate") or top.get("IssueDate"),
        "response_time": (top.get("ResponseTime") or top.get("IssueTime") or "")[:8] or None,
        "file_name_agrees": _name_agrees(name, ruc, code, number),
        "_problem": None
        if number
        else "reference|document_id_sunat|the answer names no document, expected its series and number",
    }


def _schema(columns: str) -> dict[str, Any]:
    typed = {"_row_number": pl.Int64, "file_name_agrees": pl.Boolean, "line_ordinal": pl.Int32}
    return {c: typed.get(c, pl.String) for c in columns.split()}


_SCHEMAS = {
    DOCUMENTS: _schema(
        "_row_number document_key document_type_code document_id_sunat issue_date issue_time ubl_version member_name "
        "file_name_agrees issuer_key issuer_kind issuer_name counterparty_key counterparty_kind counterparty_name sender_key "
        "carrier_key carrier_name driver_key licence_key plate_key second_plate_key currency_code operation_type_code "
        "line_extension_amount taxable_amount igv_amount tax_amount tax_inclusive_amount payable_amount advance_amount payment_form "
        "detraction_code detraction_pct detraction_amount detraction_currency_code detraction_account_key credit_reason_code "
        "affected_document_id_sunat affected_document_type_code related_documents extraction_location_type_code "
        "extraction_ubigeo_code gross_weight_kg transport_mode_code transfer_reason_code transfer_start_date "
        "origin_ubigeo_code destination_ubigeo_code note _problem _verbatim"
    ),
    LINES: _schema(
        "_row_number document_key line_number line_ordinal item_description quantity quantity_unit_code unit_price_amount "
        "line_extension_amount igv_amount product_code_sunat item_properties _problem"
    ),
    RECEIPTS: _schema(
        "_row_number receipt_id_sunat document_key document_id_sunat document_type_code issuer_key response_code "
        "response_description note response_date response_time file_name_agrees member_name _problem"
    ),
}
