"""UBL documents of SUNAT as plain records: what is read is declared in shapes, and each tree is walked once.

A shape is a dict from an element's name to what becomes of it; elements that no shape names (signatures, most
extensions, street addresses) are never entered. Elements are matched by namespace and local name, so a prefix
means nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lxml import etree

MAX_DOCUMENT_BYTES = 20 << 20

_XSD = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES = {
    "cac": f"{_XSD}CommonAggregateComponents-2",
    "cbc": f"{_XSD}CommonBasicComponents-2",
    "ext": f"{_XSD}CommonExtensionComponents-2",
    "sac": "urn:sunat:names:specification:ubl:peru:schema:xsd:SunatAggregateComponents-1",
}

Record = dict[str, Any]


class Unreadable(Exception):
    """One document cannot be taken. `rule` is a short word, `place` a line or element, the rest is for a person."""

    def __init__(self, rule: str, problem: str, expected: str, remedy: str, place: str = ""):
        self.rule, self.problem, self.expected, self.remedy, self.place = rule, problem, expected, remedy, place
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.place + ': ' if self.place else ''}{self.problem}, expected {self.expected}"


@dataclasses.dataclass(frozen=True)
class Leaf:
    """An element's text as `name`, and one of its attributes as `attribute_name`."""

    name: str
    attribute: str
    attribute_name: str


@dataclasses.dataclass(frozen=True)
class Many:
    """A repeatable element: each occurrence is a record of its own in the list `name`, its text under "text"."""

    name: str
    shape: dict[str, Any]
    attribute: str = ""


#: What a shape holds for an element: the name of its text, a shape to enter with the same record, a Leaf or Many.
Shape = dict[str, Any]


def _shape(written: Shape) -> Shape:
    """A shape with `cbc:ID` and the like spelled as lxml spells them."""
    return {_tag(name): _entry(entry) for name, entry in written.items()}


def _tag(name: str) -> str:
    prefix, local = name.split(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


def _entry(entry: Any) -> Any:
    if isinstance(entry, dict):
        return _shape(entry)
    return dataclasses.replace(entry, shape=_shape(entry.shape)) if isinstance(entry, Many) else entry


def _party_body(role: str) -> Shape:
    return {
        "cac:PartyIdentification": {"cbc:ID": Leaf(f"{role}_id", "schemeID", f"{role}_scheme")},
        "cac:PartyName": {"cbc:Name": f"{role}_trade_name"},
        "cac:PartyLegalEntity": {"cbc:RegistrationName": f"{role}_name"},
    }


def _party(role: str) -> Shape:
    """A party of either generation: CustomerAssignedAccountID (UBL 2.0) or PartyIdentification (UBL 2.1)."""
    return {
        "cbc:CustomerAssignedAccountID": Leaf(f"{role}_id", "schemeID", f"{role}_scheme"),
        "cbc:AdditionalAccountID": f"{role}_scheme",
        "cac:Party": _party_body(role),
    }


_REFERENCE = {
    "cbc:ID": "number",
    "cbc:DocumentTypeCode": "type",
    "cac:IssuerParty": {"cac:PartyIdentification": {"cbc:ID": "issuer"}},
}
_TAX = Many(
    "taxes",
    {
        "cbc:TaxAmount": "amount",
        "cac:TaxSubtotal": Many(
            "subtotals",
            {
                "cbc:TaxableAmount": "taxable",
                "cbc:TaxAmount": "amount",
                "cac:TaxCategory": {"cac:TaxScheme": {"cbc:ID": "scheme"}},
            },
        ),
    },
)


def _line(quantity: str) -> Many:
    return Many(
        "lines",
        {
            "cbc:ID": "number",
            quantity: Leaf("quantity", "unitCode", "unit"),
            "cbc:LineExtensionAmount": "line_extension",
            "cac:TaxTotal": _TAX,
            "cac:Item": {
                "cbc:Description": "description",
                "cbc:Name": "name",
                "cac:SellersItemIdentification": {"cbc:ID": "seller_code"},
                "cac:StandardItemIdentification": {"cbc:ID": "standard_code"},
                "cac:CommodityClassification": {"cbc:ItemClassificationCode": "sunat_code"},
                "cac:AdditionalItemProperty": Many(
                    "properties", {"cbc:NameCode": "code", "cbc:Value": "value", "cbc:ValueQuantity": "value"}
                ),
            },
            "cac:Price": {"cbc:PriceAmount": "unit_price"},
        },
    )


_HEAD = {
    "cbc:UBLVersionID": "ubl_version",
    "cbc:CustomizationID": "customization",
    "cbc:ID": "id",
    "cbc:IssueDate": "issue_date",
    "cbc:IssueTime": "issue_time",
    "cbc:Note": Many("notes", {}, "languageLocaleID"),
    "cac:AdditionalDocumentReference": Many("additional", _REFERENCE),
}
_TOTALS = {
    "cbc:LineExtensionAmount": "line_extension",
    "cbc:TaxInclusiveAmount": "tax_inclusive",
    "cbc:PrepaidAmount": "prepaid",
    "cbc:PayableAmount": "payable",
}
#: UBL 2.0 keeps operation type, detraction and an embedded waybill in an extension of SUNAT.
_OLD_EXTENSION = {
    "ext:UBLExtension": {
        "ext:ExtensionContent": {
            "sac:AdditionalInformation": {
                "sac:AdditionalMonetaryTotal": Many(
                    "old_totals",
                    {
                        "cbc:ID": "code",
                        "cbc:PayableAmount": Leaf("amount", "currencyID", "currency"),
                        "cbc:Percent": "percent",
                    },
                ),
                "sac:AdditionalProperty": Many("old_properties", {"cbc:ID": "code", "cbc:Value": "value"}),
                "sac:SUNATEmbededDespatchAdvice": {
                    "cac:DeliveryAddress": {"cbc:ID": "destination"},
                    "cac:OriginAddress": {"cbc:ID": "origin"},
                    "sac:SUNATCarrierParty": Many("carriers", _party("carrier")),
                    "sac:DriverParty": {"cac:Party": {"cac:PartyIdentification": Many("drivers", {"cbc:ID": "id"})}},
                    "sac:SUNATRoadTransport": Many("plates", {"cbc:LicensePlateID": "plate"}),
                    "cbc:TransportModeCode": "transport_mode",
                    "cbc:GrossWeightMeasure": Leaf("weight", "unitCode", "weight_unit"),
                },
            }
        }
    }
}


def _billed(supplier: str, customer: str, line: str, quantity: str, totals: str = "cac:LegalMonetaryTotal") -> Shape:
    """An invoice, note or settlement; `supplier` and `customer` say which of them is issuer and counterparty."""
    return _HEAD | {
        "ext:UBLExtensions": _OLD_EXTENSION,
        "cbc:ProfileID": "profile",
        "cbc:InvoiceTypeCode": Leaf("type", "listID", "operation"),
        "cbc:DocumentCurrencyCode": "currency",
        "cac:DespatchDocumentReference": Many("despatch", _REFERENCE),
        "cac:BillingReference": {"cac:InvoiceDocumentReference": Many("billing", _REFERENCE)},
        "cac:DiscrepancyResponse": {"cbc:ResponseCode": "reason", "cbc:Description": "reason_text"},
        "cac:AccountingSupplierParty": _party(supplier),
        "cac:AccountingCustomerParty": _party(customer),
        "cac:DeliveryTerms": {
            "cac:DeliveryLocation": {
                "cbc:LocationTypeCode": "location_type",
                "cac:Address": {"cbc:ID": "location"},
            }
        },
        "cac:PaymentMeans": Many(
            "payment_means", {"cbc:ID": "id", "cac:PayeeFinancialAccount": {"cbc:ID": "account"}}
        ),
        "cac:PaymentTerms": Many(
            "payment_terms",
            {
                "cbc:ID": "id",
                "cbc:PaymentMeansID": "means",
                "cbc:PaymentPercent": "percent",
                "cbc:Amount": Leaf("amount", "currencyID", "currency"),
                "cbc:PaymentDueDate": "due_date",
            },
        ),
        "cac:TaxTotal": _TAX,
        totals: _TOTALS,
        line: _line(quantity),
    }


_DESPATCH = _HEAD | {
    "cbc:DespatchAdviceTypeCode": "type",
    "cac:DespatchSupplierParty": _party("issuer"),
    "cac:DeliveryCustomerParty": _party("counterparty"),
    "cac:SellerSupplierParty": _party("supplier"),
    "cac:BuyerCustomerParty": _party("buyer"),
    "cac:OriginatorCustomerParty": _party("originator"),
    "cac:Shipment": {
        "cbc:HandlingCode": "motive",
        "cbc:HandlingInstructions": "motive_text",
        "cbc:Information": "motive_text",
        "cbc:GrossWeightMeasure": Leaf("weight", "unitCode", "weight_unit"),
        "cac:ShipmentStage": {
            "cbc:TransportModeCode": "transport_mode",
            "cac:TransitPeriod": {"cbc:StartDate": "start_date"},
            "cac:CarrierParty": Many("carriers", _party_body("carrier")),
            "cac:TransportMeans": {"cac:RoadTransport": Many("plates", {"cbc:LicensePlateID": "plate"})},
            "cac:DriverPerson": Many(
                "drivers",
                {
                    "cbc:ID": Leaf("id", "schemeID", "scheme"),
                    "cbc:FirstName": "first_name",
                    "cbc:FamilyName": "family_name",
                    "cac:IdentityDocumentReference": {"cbc:ID": "licence"},
                },
            ),
        },
        "cac:Delivery": {
            "cac:DeliveryAddress": {"cbc:ID": "destination"},
            "cac:Despatch": {
                "cac:DespatchAddress": {"cbc:ID": "origin"},
                "cac:DespatchParty": _party_body("sender"),
            },
        },
        "cac:OriginAddress": {"cbc:ID": "origin"},
        "cac:TransportHandlingUnit": {
            "cac:TransportEquipment": Many(
                "equipment",
                {"cbc:ID": "plate", "cac:AttachedTransportEquipment": Many("attached", {"cbc:ID": "plate"})},
            )
        },
    },
    "cac:DespatchLine": _line("cbc:DeliveredQuantity"),
}
_RESPONSE = {
    "cbc:ID": "id",
    "cbc:IssueDate": "issue_date",
    "cbc:IssueTime": "issue_time",
    "cbc:ResponseDate": "response_date",
    "cbc:ResponseTime": "response_time",
    "cbc:Note": Many("notes", {}),
    "cac:SenderParty": _party_body("sender"),
    "cac:ReceiverParty": _party_body("receiver"),
    "cac:DocumentResponse": {
        "cac:Response": {
            "cbc:ReferenceID": "reference",
            "cbc:ResponseCode": "code",
            "cbc:Description": "description",
        },
        "cac:DocumentReference": {"cbc:ID": "document", "cbc:DocumentTypeCode": "type"},
        "cac:RecipientParty": _party_body("recipient"),
    },
}

#: Root element -> (the type code that it implies, if any, its shape).
_ROOTS: dict[str, tuple[str | None, Shape]] = {
    f"{{{_XSD}{root}-2}}{root}": (implied, _shape(shape))
    for root, implied, shape in (
        ("Invoice", None, _billed("issuer", "counterparty", "cac:InvoiceLine", "cbc:InvoicedQuantity")),
        # In a purchase settlement the buyer issues and the seller, who has no RUC, is the other side.
        ("SelfBilledInvoice", None, _billed("counterparty", "issuer", "cac:InvoiceLine", "cbc:InvoicedQuantity")),
        ("CreditNote", "07", _billed("issuer", "counterparty", "cac:CreditNoteLine", "cbc:CreditedQuantity")),
        (
            "DebitNote",
            "08",
            _billed(
                "issuer", "counterparty", "cac:DebitNoteLine", "cbc:DebitedQuantity", "cac:RequestedMonetaryTotal"
            ),
        ),
        ("DespatchAdvice", None, _DESPATCH),
        ("ApplicationResponse", "CDR", _RESPONSE),
    )
}

#: Nothing outside the document is ever loaded and no entity is expanded; documents with a DTD are refused anyway.
_PARSER_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "remove_blank_text": True,
    "collect_ids": False,
}
_parser = etree.XMLParser(**_PARSER_OPTIONS)


def read(data: bytes) -> Record:
    """One document as a record. `record["type"]` is its type code in catalogue 01, or CDR for an answer of SUNAT.

    Raises:
        Unreadable: too large, broken, with a DTD, or of a root element that no shape describes.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise Unreadable(
            "size",
            f"the document has {len(data):,} bytes",
            f"at most {MAX_DOCUMENT_BYTES:,}",
            "look at it by hand: real documents have a few thousand bytes",
        )
    try:
        root = etree.fromstring(data, _parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(
            "xml",
            f"the XML is broken ({(error.msg or 'empty').splitlines()[0].split(', line ')[0].replace('|', '/')})",
            "one complete XML document",
            "download it again from the portal or ask the issuer for it",
            f"line {error.lineno or 1}",
        ) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable(
            "dtd",
            "the document has a DTD (DOCTYPE), which can hide entity bombs and reach for other files",
            "plain XML without DOCTYPE, as SUNAT accepts it",
            "do not open it by hand; ask the issuer for the document as it was sent to SUNAT",
        )
    known = _ROOTS.get(root.tag)
    if known is None:
        raise Unreadable(
            "root",
            f"the root element {etree.QName(root).localname[:60]!r} is of no known kind of document",
            "Invoice, SelfBilledInvoice, CreditNote, DebitNote, DespatchAdvice or ApplicationResponse of UBL 2",
            "take it out of the archive if it is no document of this source",
            "line 1",
        )
    implied, shape = known
    record: Record = {}
    _walk(root, shape, record)
    if implied:
        record["type"] = implied
    return record


def _walk(node: Any, shape: Shape, record: Record) -> None:
    for child in node:
        entry = shape.get(child.tag)
        if entry is None:
            continue
        kind = type(entry)
        if kind is str:
            if entry not in record:  # the first of several wins
                record[entry] = child.text
        elif kind is dict:
            _walk(child, entry, record)
        elif kind is Leaf:
            if entry.name not in record:
                record[entry.name] = child.text
                attribute = child.get(entry.attribute)
                if attribute is not None:
                    record[entry.attribute_name] = attribute
        else:
            item: Record = {}
            if entry.shape:
                _walk(child, entry.shape, item)
            else:
                item["text"] = child.text
                item["attribute"] = child.get(entry.attribute) if entry.attribute else None
            record.setdefault(entry.name, []).append(item)
