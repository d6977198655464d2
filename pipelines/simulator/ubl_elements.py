"""Elements of SUNAT's electronic documents (UBL 2.1, customization 2.0) as templates.

Names, order and attributes are those of real documents. `$name` stands for a column or, where `FRAGMENTS` has the
name, for elements that a document has only when the fragment's column is not null. Fragments begin with the line
break that they need, so that a document can be packed by dropping the spaces before every element.

Not seen in a real sample, but so documented by SUNAT: the deposit under SPOT (detracción) of an invoice, the mining
properties of catalogue 55, the second plate of a waybill, and the purchase settlement (04) as a whole. Places are
named by their ubigeo, as the writer has no gazetteer.
"""

from __future__ import annotations

import dataclasses

WATERMARK = "DOCUMENTO SIMULADO, SIN VALOR TRIBUTARIO"
_CATALOGUE = "urn:pe:gob:sunat:cpe:see:gem:catalogos:catalogo"
_UNECE = "United Nations Economic Commission for Europe"


def _listed(name: str, catalogue: str) -> str:
    """Attributes of a code out of one of SUNAT's catalogues."""
    return f'listAgencyName="PE:SUNAT" listName="{name}" listURI="{_CATALOGUE}{catalogue}"'


_IDENTITY = f'schemeName="Documento de Identidad" schemeAgencyName="PE:SUNAT" schemeURI="{_CATALOGUE}06"'
_UBIGEO = 'schemeName="Ubigeos" schemeAgencyName="PE:INEI"'

#: On one line, as programs sign: no spaces that a signature would have to cover.
SIGNATURE = (
    '<ds:Signature Id="SignatureSP"><ds:SignedInfo>'
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="">'
    '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></ds:Transforms>'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue>$digest</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    "<ds:SignatureValue>$signature_value</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
    "<ds:X509SubjectName>CN=CERTIFICADO SIMULADO, OU=RUC $issuer_id, O=$issuer_name, C=PE</ds:X509SubjectName>"
    "<ds:X509Certificate>$certificate</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
)

_HEAD = f"""
  <ext:UBLExtensions>
    <ext:UBLExtension><ext:ExtensionContent>{SIGNATURE}</ext:ExtensionContent></ext:UBLExtension>
  </ext:UBLExtensions>
  <cbc:UBLVersionID>2.1</cbc:UBLVersionID>
  <cbc:CustomizationID schemeAgencyName="PE:SUNAT">2.0</cbc:CustomizationID>
  <cbc:ID>$series-$number</cbc:ID>
  <cbc:IssueDate>$issue_date</cbc:IssueDate>
  <cbc:IssueTime>$issue_time</cbc:IssueTime>"""

_NOTES = f"""
  <cbc:Note>{WATERMARK}</cbc:Note>$detraction_legend$free_note"""

_SIGNATORY = """
  <cac:Signature>
    <cbc:ID>SignatureSP</cbc:ID>
    <cac:SignatoryParty>
      <cac:PartyIdentification>
        <cbc:ID>$issuer_id</cbc:ID>
      </cac:PartyIdentification>
      <cac:PartyName>
        <cbc:Name>$issuer_name</cbc:Name>
      </cac:PartyName>
    </cac:SignatoryParty>
    <cac:DigitalSignatureAttachment>
      <cac:ExternalReference>
        <cbc:URI>#SignatureSP</cbc:URI>
      </cac:ExternalReference>
    </cac:DigitalSignatureAttachment>
  </cac:Signature>"""


def _party(role: str, scheme: str, column: str, address: str = "") -> str:
    return f"""
  <cac:{role}>
    <cac:Party>
      <cac:PartyIdentification>
        <cbc:ID schemeID="{scheme}" {_IDENTITY}>${column}_id</cbc:ID>
      </cac:PartyIdentification>
      <cac:PartyLegalEntity>
        <cbc:RegistrationName>${column}_name</cbc:RegistrationName>{address}
      </cac:PartyLegalEntity>
    </cac:Party>
  </cac:{role}>"""


_ISSUER_ADDRESS = f"""
        <cac:RegistrationAddress>
          <cbc:ID {_UBIGEO}>$issuer_ubigeo</cbc:ID>
          <cbc:AddressTypeCode listAgencyName="PE:SUNAT" listName="Establecimientos anexos">0000</cbc:AddressTypeCode>
          <cbc:CityName>PROVINCIA $issuer_province_code</cbc:CityName>
          <cbc:CountrySubentity>DEPARTAMENTO $issuer_department_code</cbc:CountrySubentity>
          <cbc:District>DISTRITO $issuer_ubigeo</cbc:District>
          <cac:AddressLine>
            <cbc:Line>CALLE SIMULADA S/N</cbc:Line>
          </cac:AddressLine>
          <cac:Country>
            <cbc:IdentificationCode listID="ISO 3166-1" listAgencyName="{_UNECE}" listName="Country">PE</cbc:IdentificationCode>
          </cac:Country>
        </cac:RegistrationAddress>"""

_SELLER_ADDRESS = f"""
        <cac:RegistrationAddress>
          <cbc:ID {_UBIGEO}>$counterparty_ubigeo</cbc:ID>
          <cbc:AddressTypeCode {_listed("Tipo de direccion", "60")}>05</cbc:AddressTypeCode>
          <cac:AddressLine>
            <cbc:Line>DOMICILIO SIMULADO S/N</cbc:Line>
          </cac:AddressLine>
        </cac:RegistrationAddress>"""

_CURRENCY = f"""
  <cbc:DocumentCurrencyCode listID="ISO 4217 Alpha" listAgencyName="{_UNECE}" \
listName="Currency">$currency_code</cbc:DocumentCurrencyCode>"""


def _tax_total(line_elements: str = "") -> str:
    return f"""
  <cac:TaxTotal>
    <cbc:TaxAmount currencyID="$currency_code">$igv_amount</cbc:TaxAmount>
    <cac:TaxSubtotal>
      <cbc:TaxableAmount currencyID="$currency_code">$line_amount</cbc:TaxableAmount>
      <cbc:TaxAmount currencyID="$currency_code">$igv_amount</cbc:TaxAmount>
      <cac:TaxCategory>{line_elements}
        <cac:TaxScheme>
          <cbc:ID schemeName="Codigo de tributos" schemeAgencyName="PE:SUNAT" schemeURI="{_CATALOGUE}05">$tax_id</cbc:ID>
          <cbc:Name>$tax_name</cbc:Name>
          <cbc:TaxTypeCode>$tax_type</cbc:TaxTypeCode>
        </cac:TaxScheme>
      </cac:TaxCategory>
    </cac:TaxSubtotal>
  </cac:TaxTotal>"""


_AMOUNTS = f"""{_tax_total()}
  <cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="$currency_code">$line_amount</cbc:LineExtensionAmount>
    <cbc:TaxInclusiveAmount currencyID="$currency_code">$tax_inclusive_amount</cbc:TaxInclusiveAmount>
    <cbc:PayableAmount currencyID="$currency_code">$payable_amount</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>$lines"""

_INVOICE_TYPE = f"""
  <cbc:InvoiceTypeCode listID="$operation_type_code" {_listed("Tipo de Documento", "01")}>$type_code</cbc:InvoiceTypeCode>"""

_INVOICE = f"""{_HEAD}{_INVOICE_TYPE}{_NOTES}{_CURRENCY}
  <cbc:LineCountNumeric>$line_count</cbc:LineCountNumeric>$despatch_reference{_SIGNATORY}\
{_party("AccountingSupplierParty", "6", "issuer", _ISSUER_ADDRESS)}\
{_party("AccountingCustomerParty", "$counterparty_kind", "counterparty")}\
$detraction_account_details$detraction_terms$payment_terms$instalment{_AMOUNTS}"""

# The buyer issues, as the customer of the person who sells; the goods are where they were extracted.
_SETTLEMENT = f"""{_HEAD}{_INVOICE_TYPE}{_NOTES}{_CURRENCY}$despatch_reference{_SIGNATORY}\
{_party("AccountingCustomerParty", "6", "issuer", _ISSUER_ADDRESS)}\
{_party("AccountingSupplierParty", "$counterparty_kind", "counterparty", _SELLER_ADDRESS)}
  <cac:DeliveryTerms>
    <cac:DeliveryLocation>
      <cbc:LocationTypeCode {_listed("Tipo de direccion", "60")}>03</cbc:LocationTypeCode>
      <cac:Address>
        <cbc:ID {_UBIGEO}>$extraction_ubigeo</cbc:ID>
        <cac:AddressLine>
          <cbc:Line>$extraction_place</cbc:Line>
        </cac:AddressLine>
      </cac:Address>
    </cac:DeliveryLocation>
  </cac:DeliveryTerms>$payment_terms$instalment{_AMOUNTS}"""

_CREDIT_NOTE = f"""{_HEAD}{_NOTES}{_CURRENCY}
  <cac:DiscrepancyResponse>
    <cbc:ResponseCode {_listed("Tipo de nota de credito", "09")}>$credit_reason_code</cbc:ResponseCode>
    <cbc:Description>$credit_reason</cbc:Description>
  </cac:DiscrepancyResponse>
  <cac:BillingReference>
    <cac:InvoiceDocumentReference>
      <cbc:ID>$affected_document</cbc:ID>
      <cbc:DocumentTypeCode {_listed("Tipo de Documento", "01")}>$affected_type_code</cbc:DocumentTypeCode>
    </cac:InvoiceDocumentReference>
  </cac:BillingReference>{_SIGNATORY}\
{_party("AccountingSupplierParty", "6", "issuer", _ISSUER_ADDRESS)}\
{_party("AccountingCustomerParty", "$counterparty_kind", "counterparty")}\
$payment_terms$instalment{_AMOUNTS}"""


def _shipment(instructions: str, stage: str, despatch_party: str) -> str:
    return f"""
  <cac:Shipment>
    <cbc:ID>SUNAT_Envio</cbc:ID>{instructions}
    <cbc:GrossWeightMeasure unitCode="KGM">$gross_weight_kg</cbc:GrossWeightMeasure>
    <cac:ShipmentStage>{stage}$driver
    </cac:ShipmentStage>
    <cac:Delivery>
      <cac:DeliveryAddress>
        <cbc:ID {_UBIGEO}>$destination_ubigeo</cbc:ID>
        <cac:AddressLine>
          <cbc:Line>$destination_address</cbc:Line>
        </cac:AddressLine>
      </cac:DeliveryAddress>
      <cac:Despatch>
        <cac:DespatchAddress>
          <cbc:ID {_UBIGEO}>$origin_ubigeo</cbc:ID>
          <cac:AddressLine>
            <cbc:Line>$origin_address</cbc:Line>
          </cac:AddressLine>
        </cac:DespatchAddress>{despatch_party}
      </cac:Despatch>
    </cac:Delivery>$vehicle
  </cac:Shipment>$lines"""


_TRANSIT = """
      <cac:TransitPeriod>
        <cbc:StartDate>$transfer_start_date</cbc:StartDate>
      </cac:TransitPeriod>"""

_SENDER_STAGE = f"""
      <cbc:TransportModeCode {_listed("Modalidad de traslado", "18")}>$transport_mode_code</cbc:TransportModeCode>{_TRANSIT}$carrier"""

_CARRIER_STAGE = f"""{_TRANSIT}
      <cac:CarrierParty>
        <cac:PartyLegalEntity>
          <cbc:CompanyID>$transport_registration</cbc:CompanyID>
        </cac:PartyLegalEntity>
      </cac:CarrierParty>"""

_REASON = f"""
    <cbc:HandlingCode {_listed("Motivo de traslado", "20")}>$transfer_reason_code</cbc:HandlingCode>
    <cbc:HandlingInstructions>$transfer_reason</cbc:HandlingInstructions>"""

_SENDER = f"""
        <cac:DespatchParty>
          <cac:PartyIdentification>
            <cbc:ID schemeID="6" {_IDENTITY}>$sender_id</cbc:ID>
          </cac:PartyIdentification>
          <cac:PartyLegalEntity>
            <cbc:RegistrationName>$sender_name</cbc:RegistrationName>
          </cac:PartyLegalEntity>
        </cac:DespatchParty>"""


def _waybill(shipment: str) -> str:
    return f"""{_HEAD}
  <cbc:DespatchAdviceTypeCode {_listed("Tipo de Documento", "01")}>$type_code</cbc:DespatchAdviceTypeCode>\
{_NOTES}$transport_reference{_SIGNATORY}\
{_party("DespatchSupplierParty", "6", "issuer")}\
{_party("DeliveryCustomerParty", "$counterparty_kind", "counterparty")}{shipment}"""


def _indented(template: str, spaces: int) -> str:
    return template.replace("\n", "\n" + " " * spaces)


_LINE_TAX = f"""
        <cbc:Percent>$tax_percent</cbc:Percent>
        <cbc:TaxExemptionReasonCode {_listed("Afectacion del IGV", "07")}>$tax_reason</cbc:TaxExemptionReasonCode>"""

_LIST_PRICE = f"""
    <cac:PricingReference>
      <cac:AlternativeConditionPrice>
        <cbc:PriceAmount currencyID="$currency_code">$price_with_tax</cbc:PriceAmount>
        <cbc:PriceTypeCode {_listed("Tipo de Precio", "16")}>01</cbc:PriceTypeCode>
      </cac:AlternativeConditionPrice>
    </cac:PricingReference>"""


def _quantity(element: str) -> str:
    return (
        f'<cbc:{element} unitCode="$unit_code" unitCodeListID="UN/ECE rec 20" '
        f'unitCodeListAgencyName="{_UNECE}">$quantity</cbc:{element}>'
    )


def _voucher_line(element: str, quantity: str, list_price: str) -> str:
    return f"""
  <cac:{element}>
    <cbc:ID>$line_number</cbc:ID>
    {_quantity(quantity)}
    <cbc:LineExtensionAmount currencyID="$currency_code">$line_amount</cbc:LineExtensionAmount>{list_price}\
{_indented(_tax_total(_LINE_TAX), 2)}
    <cac:Item>
      <cbc:Description>$description</cbc:Description>$seller_item$classification$mining_right$mining_right_title
    </cac:Item>
    <cac:Price>
      <cbc:PriceAmount currencyID="$currency_code">$unit_price</cbc:PriceAmount>
    </cac:Price>
  </cac:{element}>"""


def _property(code: str, name: str, value: str) -> str:
    return f"""
      <cac:AdditionalItemProperty>
        <cbc:Name>{name}</cbc:Name>
        <cbc:NameCode {_listed("Propiedad del item", "55")}>{code}</cbc:NameCode>
        <cbc:Value>{value}</cbc:Value>
      </cac:AdditionalItemProperty>"""


_WAYBILL_LINE = f"""
  <cac:DespatchLine>
    <cbc:ID>$line_number</cbc:ID>
    {_quantity("DeliveredQuantity")}
    <cac:OrderLineReference>
      <cbc:LineID>$line_number</cbc:LineID>
    </cac:OrderLineReference>
    <cac:Item>
      <cbc:Description>$description</cbc:Description>$mining_right$mining_right_title{_property("7022", "Indicador de bien regulado por SUNAT", "0")}
    </cac:Item>
  </cac:DespatchLine>"""

_INVOICE_LINE = _voucher_line("InvoiceLine", "InvoicedQuantity", _LIST_PRICE)


@dataclasses.dataclass(frozen=True)
class Kind:
    """One type of document: its root element, the template below the root, the template of its lines."""

    root: str
    body: str
    line: str


KINDS = {
    "01": Kind("Invoice", _INVOICE, _INVOICE_LINE),
    "04": Kind("SelfBilledInvoice", _SETTLEMENT, _INVOICE_LINE),
    "07": Kind(
        "CreditNote",
        _CREDIT_NOTE,
        _voucher_line("CreditNoteLine", "CreditedQuantity", "\n    <cac:PricingReference/>"),
    ),
    "09": Kind("DespatchAdvice", _waybill(_shipment(_REASON, _SENDER_STAGE, "")), _WAYBILL_LINE),
    "31": Kind("DespatchAdvice", _waybill(_shipment("", _CARRIER_STAGE, _SENDER)), _WAYBILL_LINE),
}

_DESPATCH_REFERENCE = f"""
  <cac:DespatchDocumentReference>
    <cbc:ID>$related_waybill</cbc:ID>
    <cbc:DocumentTypeCode {_listed("Tipo de Documento", "01")}>$related_waybill_type</cbc:DocumentTypeCode>
  </cac:DespatchDocumentReference>"""

_TRANSPORT_REFERENCE = f"""
  <cac:AdditionalDocumentReference>
    <cbc:ID>$related_waybill</cbc:ID>
    <cbc:DocumentTypeCode {_listed("Documento relacionado al transporte", "61")}>$related_waybill_type</cbc:DocumentTypeCode>
    <cbc:DocumentType>$related_waybill_type_name</cbc:DocumentType>
    <cac:IssuerParty>
      <cac:PartyIdentification>
        <cbc:ID schemeID="6" schemeAgencyName="PE:SUNAT" schemeURI="{_CATALOGUE}06">$related_waybill_issuer</cbc:ID>
      </cac:PartyIdentification>
    </cac:IssuerParty>
  </cac:AdditionalDocumentReference>"""


#: Name -> (the column that must not be null, template).
FRAGMENTS = {
    "detraction_legend": (
        "detraction_code",
        '\n  <cbc:Note languageLocaleID="2006">Operación sujeta a detracción</cbc:Note>',
    ),
    "free_note": ("note", "\n  <cbc:Note>$note</cbc:Note>"),
    "despatch_reference": ("related_waybill", _DESPATCH_REFERENCE),
    "transport_reference": ("related_waybill", _TRANSPORT_REFERENCE),
    "detraction_account_details": (
        "detraction_code",
        f"""
  <cac:PaymentMeans>
    <cbc:ID>Detraccion</cbc:ID>
    <cbc:PaymentMeansCode {_listed("Medio de pago", "59")}>001</cbc:PaymentMeansCode>
    <cac:PayeeFinancialAccount>
      <cbc:ID>$detraction_account</cbc:ID>
    </cac:PayeeFinancialAccount>
  </cac:PaymentMeans>""",
    ),
    "detraction_terms": (
        "detraction_code",
        f"""
  <cac:PaymentTerms>
    <cbc:ID>Detraccion</cbc:ID>
    <cbc:PaymentMeansID schemeName="Codigo de detraccion" schemeAgencyName="PE:SUNAT" \
schemeURI="{_CATALOGUE}54">$detraction_code</cbc:PaymentMeansID>
    <cbc:PaymentPercent>$detraction_pct</cbc:PaymentPercent>
    <cbc:Amount currencyID="PEN">$detraction_pen</cbc:Amount>
  </cac:PaymentTerms>""",
    ),
    "payment_terms": (
        "payment_form",
        """
  <cac:PaymentTerms>
    <cbc:ID>FormaPago</cbc:ID>
    <cbc:PaymentMeansID>$payment_form</cbc:PaymentMeansID>$credit_total
  </cac:PaymentTerms>""",
    ),
    "credit_total": ("credit_amount", '\n    <cbc:Amount currencyID="$currency_code">$credit_amount</cbc:Amount>'),
    "instalment": (
        "instalment_due_date",
        """
  <cac:PaymentTerms>
    <cbc:ID>FormaPago</cbc:ID>
    <cbc:PaymentMeansID>Cuota001</cbc:PaymentMeansID>
    <cbc:Amount currencyID="$currency_code">$credit_amount</cbc:Amount>
    <cbc:PaymentDueDate>$instalment_due_date</cbc:PaymentDueDate>
  </cac:PaymentTerms>""",
    ),
    "carrier": (
        "carrier_id",
        f"""
      <cac:CarrierParty>
        <cac:PartyIdentification>
          <cbc:ID schemeID="6" {_IDENTITY}>$carrier_id</cbc:ID>
        </cac:PartyIdentification>
        <cac:PartyLegalEntity>
          <cbc:RegistrationName>$carrier_name</cbc:RegistrationName>
        </cac:PartyLegalEntity>
      </cac:CarrierParty>""",
    ),
    "driver": (
        "driver_document",
        f"""
      <cac:DriverPerson>
        <cbc:ID schemeID="1" {_IDENTITY}>$driver_document</cbc:ID>
        <cbc:FirstName>$driver_given_names</cbc:FirstName>
        <cbc:FamilyName>$driver_family_names</cbc:FamilyName>
        <cbc:JobTitle>Principal</cbc:JobTitle>
        <cac:IdentityDocumentReference>
          <cbc:ID>$licence</cbc:ID>
        </cac:IdentityDocumentReference>
      </cac:DriverPerson>""",
    ),
    "vehicle": (
        "plate",
        """
    <cac:TransportHandlingUnit>
      <cac:TransportEquipment>
        <cbc:ID>$plate</cbc:ID>$attached_vehicle
      </cac:TransportEquipment>
    </cac:TransportHandlingUnit>""",
    ),
    "attached_vehicle": (
        "second_plate",
        """
        <cac:AttachedTransportEquipment>
          <cbc:ID>$second_plate</cbc:ID>
        </cac:AttachedTransportEquipment>""",
    ),
    "seller_item": (
        "item_code",
        """
      <cac:SellersItemIdentification>
        <cbc:ID>$item_code</cbc:ID>
      </cac:SellersItemIdentification>""",
    ),
    "classification": (
        "product_code_sunat",
        """
      <cac:CommodityClassification>
        <cbc:ItemClassificationCode listID="UNSPSC" listAgencyName="GS1 US" \
listName="Item Classification">$product_code_sunat</cbc:ItemClassificationCode>
      </cac:CommodityClassification>""",
    ),
    "mining_right": ("mining_right_id", _property("6000", "Código Unico Concesión Minera", "$mining_right_id")),
    "mining_right_title": (
        "mining_right_name",
        _property("6006", "Nombre del derecho minero", "$mining_right_name"),
    ),
}
