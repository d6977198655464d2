"""Electronic documents as issuers send them, for measuring: invoices, waybills of both kinds, purchase settlements.

Every name and number is invented. Signatures have the size and the randomness of real ones (3 to 5 kB), so that
they compress as badly as real ones do; they sign nothing.
"""

from __future__ import annotations

import base64
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.identity import ruc_check_digit

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES = (
    f'xmlns:cac="{_UBL}CommonAggregateComponents-2" xmlns:cbc="{_UBL}CommonBasicComponents-2" '
    f'xmlns:ext="{_UBL}CommonExtensionComponents-2" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
)
_CATALOGUE = "urn:pe:gob:sunat:cpe:see:gem:catalogos:catalogo"
_ORES = ("MINERAL DE COBRE SULFURADO", "MINERAL DE COBRE OXIDADO", "CONCENTRADO DE COBRE", "MINERAL POLIMETALICO")
_GIVEN = ("JULIA", "MARCOS", "ELENA", "PERCY", "NORMA", "WILBER", "YENI", "EDGAR")
_FAMILY = ("CCORIMANYA", "HUALLPA", "ANCCASI", "TICONA", "LIMACHI", "SUPANTA", "CHAUCCA", "MERMA")
_UBIGEOS = ("030101", "040401", "080801", "110301", "150101", "190101", "050601")


class _Cast:
    """The invented people, companies, lorries and certificates of one run."""

    def __init__(self, dice: random.Random):
        self.companies = [(_ruc(dice, "20"), f"MINERA EJEMPLO {i:03d} S.A.C.") for i in range(120)]
        self.persons = [
            (f"{dice.randrange(10**7, 10**8)}", f"{dice.choice(_FAMILY)} {dice.choice(_FAMILY)} {dice.choice(_GIVEN)}")
            for _ in range(1_500)
        ]
        self.plates = [f"{''.join(dice.choices('ABCDEFTVX', k=2))}{dice.randrange(10)}{i:03d}" for i in range(300)]
        self.certificates = [base64.b64encode(dice.randbytes(size)).decode() for size in range(1_500, 2_700, 40)]


def _ruc(dice: random.Random, prefix: str) -> str:
    ten = f"{prefix}{dice.randrange(10**8):08d}"
    return f"{ten}{ruc_check_digit(ten)}"


def documents(count: int, seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """(member name, XML) of `count` documents: 40 % invoices, 30 + 15 % waybills, 15 % purchase settlements."""
    dice = random.Random(seed)
    cast = _Cast(dice)
    for number in range(1, count + 1):
        kind = dice.choices(("01", "09", "31", "04"), (40, 30, 15, 15))[0]
        issuer = dice.choice(cast.companies)
        series = {"01": "F001", "09": "T001", "31": "V001", "04": "L001"}[kind]
        build = {"01": _invoice, "09": _waybill, "31": _waybill, "04": _settlement}[kind]
        text = build(dice, cast, kind, issuer, f"{series}-{number}")
        if number % 2:  # half of the issuers' programs indent, half do not
            text = re.sub(r">\s+<", "><", text)
        encoding = "iso-8859-1" if number % 3 else "utf-8"
        head = f'<?xml version="1.0" encoding="{encoding}"?>\n'
        yield f"{issuer[0]}-{kind}-{series}-{number}.xml", (head + text).encode(encoding)


def write_zips(folder: Path, count: int, files: int = 4, seed: int = 7) -> list[Path]:
    """`count` documents spread over `files` archives in `folder`."""
    paths = [folder / f"documents_{i + 1:02d}.zip" for i in range(files)]
    archives = [zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) for path in paths]
    for at, (name, data) in enumerate(documents(count, seed)):
        archives[at * files // count].writestr(zipfile.ZipInfo(name, (2025, 6, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    for archive in archives:
        archive.close()
    return paths


def _head(dice: random.Random, cast: _Cast, root: str, issuer: tuple[str, str], type_element: str, number: str) -> str:
    certificate = dice.choice(cast.certificates)
    value, digest = base64.b64encode(dice.randbytes(256)).decode(), base64.b64encode(dice.randbytes(32)).decode()
    return f"""<{root} xmlns="{_UBL}{root}-2" {_NAMESPACES}>
  <ext:UBLExtensions>
    <ext:UBLExtension>
      <ext:ExtensionContent>
        <ds:Signature Id="SignatureSP">
          <ds:SignedInfo>
            <ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
            <ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>
            <ds:Reference URI="">
              <ds:Transforms>
                <ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
              </ds:Transforms>
              <ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>
              <ds:DigestValue>{digest}</ds:DigestValue>
            </ds:Reference>
          </ds:SignedInfo>
          <ds:SignatureValue>{value}</ds:SignatureValue>
          <ds:KeyInfo>
            <ds:X509Data>
              <ds:X509SubjectName>2.5.4.5=#{dice.randbytes(60).hex()}</ds:X509SubjectName>
              <ds:X509Certificate>{certificate}</ds:X509Certificate>
            </ds:X509Data>
          </ds:KeyInfo>
        </ds:Signature>
      </ext:ExtensionContent>
    </ext:UBLExtension>
  </ext:UBLExtensions>
  <cbc:UBLVersionID>2.1</cbc:UBLVersionID>
  <cbc:CustomizationID schemeAgencyName="PE:SUNAT">2.0</cbc:CustomizationID>
  <cbc:ID>{number}</cbc:ID>
  <cbc:IssueDate>2025-06-{dice.randrange(1, 31):02d}</cbc:IssueDate>
  <cbc:IssueTime>{dice.randrange(6, 20):02d}:{dice.randrange(60):02d}:{dice.randrange(60):02d}</cbc:IssueTime>
  {type_element}
  <cac:Signature>
    <cbc:ID>SignatureSP</cbc:ID>
    <cac:SignatoryParty>
      <cac:PartyIdentification>
        <cbc:ID>{issuer[0]}</cbc:ID>
      </cac:PartyIdentification>
      <cac:PartyName>
        <cbc:Name>{issuer[1]}</cbc:Name>
      </cac:PartyName>
    </cac:SignatoryParty>
    <cac:DigitalSignatureAttachment>
      <cac:ExternalReference>
        <cbc:URI>#SignatureSP</cbc:URI>
      </cac:ExternalReference>
    </cac:DigitalSignatureAttachment>
  </cac:Signature>"""


def _party(role: str, scheme: str, party: tuple[str, str], wrap: bool = True) -> str:
    inner = f"""<cac:PartyIdentification>
      <cbc:ID schemeID="{scheme}" schemeName="Documento de Identidad" schemeAgencyName="PE:SUNAT" \
schemeURI="{_CATALOGUE}06">{party[0]}</cbc:ID>
    </cac:PartyIdentification>
    <cac:PartyLegalEntity>
      <cbc:RegistrationName>{party[1]}</cbc:RegistrationName>
      <cac:RegistrationAddress>
        <cbc:ID schemeName="Ubigeos" schemeAgencyName="PE:INEI">150101</cbc:ID>
        <cbc:AddressTypeCode>0000</cbc:AddressTypeCode>
        <cac:AddressLine>
          <cbc:Line>CALLE INVENTADA 123, LIMA - LIMA - LIMA</cbc:Line>
        </cac:AddressLine>
      </cac:RegistrationAddress>
    </cac:PartyLegalEntity>"""
    return f"<cac:{role}>{f'<cac:Party>{inner}</cac:Party>' if wrap else inner}</cac:{role}>"


def _tax(amount: float, tax: float, line: bool) -> str:
    percent = "<cbc:Percent>18.00</cbc:Percent><cbc:TaxExemptionReasonCode>10</cbc:TaxExemptionReasonCode>"
    return f"""<cac:TaxTotal>
    <cbc:TaxAmount currencyID="PEN">{tax:.2f}</cbc:TaxAmount>
    <cac:TaxSubtotal>
      <cbc:TaxableAmount currencyID="PEN">{amount:.2f}</cbc:TaxableAmount>
      <cbc:TaxAmount currencyID="PEN">{tax:.2f}</cbc:TaxAmount>
      <cac:TaxCategory>
        {percent if line else ""}
        <cac:TaxScheme>
          <cbc:ID schemeName="Codigo de tributos" schemeAgencyName="PE:SUNAT" schemeURI="{_CATALOGUE}05">1000</cbc:ID>
          <cbc:Name>IGV</cbc:Name>
          <cbc:TaxTypeCode>VAT</cbc:TaxTypeCode>
        </cac:TaxScheme>
      </cac:TaxCategory>
    </cac:TaxSubtotal>
  </cac:TaxTotal>"""


def _lines(dice: random.Random, rate: float) -> tuple[str, float]:
    """Lines of an invoice or settlement and their value without tax."""
    text, total = "", 0.0
    for number in range(1, dice.randrange(1, 4) + 1):
        tonnes, price = dice.uniform(5, 33), dice.uniform(300, 2_000)
        value = tonnes * price
        total += value
        text += f"""<cac:InvoiceLine>
    <cbc:ID>{number}</cbc:ID>
    <cbc:InvoicedQuantity unitCode="TNE" unitCodeListID="UN/ECE rec 20">{tonnes:.3f}</cbc:InvoicedQuantity>
    <cbc:LineExtensionAmount currencyID="PEN">{value:.2f}</cbc:LineExtensionAmount>
    <cac:PricingReference>
      <cac:AlternativeConditionPrice>
        <cbc:PriceAmount currencyID="PEN">{price * (1 + rate):.6f}</cbc:PriceAmount>
        <cbc:PriceTypeCode>01</cbc:PriceTypeCode>
      </cac:AlternativeConditionPrice>
    </cac:PricingReference>
    {_tax(value, value * rate, line=True)}
    <cac:Item>
      <cbc:Description>{dice.choice(_ORES)} LEY {dice.uniform(2, 25):.2f} % CU</cbc:Description>
      <cac:SellersItemIdentification>
        <cbc:ID>ORE{number:03d}</cbc:ID>
      </cac:SellersItemIdentification>
      <cac:CommodityClassification>
        <cbc:ItemClassificationCode listID="UNSPSC" listAgencyName="GS1 US">11101700</cbc:ItemClassificationCode>
      </cac:CommodityClassification>
      <cac:AdditionalItemProperty>
        <cbc:Name>Código Unico Concesión Minera</cbc:Name>
        <cbc:NameCode listName="Propiedad del item" listAgencyName="PE:SUNAT" listURI="{_CATALOGUE}55">6000</cbc:NameCode>
        <cbc:Value>0{dice.randrange(10**7, 10**8)}</cbc:Value>
      </cac:AdditionalItemProperty>
    </cac:Item>
    <cac:Price>
      <cbc:PriceAmount currencyID="PEN">{price:.6f}</cbc:PriceAmount>
    </cac:Price>
  </cac:InvoiceLine>"""
    return text, total


def _totals(total: float, tax: float) -> str:
    return f"""<cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="PEN">{total:.2f}</cbc:LineExtensionAmount>
    <cbc:TaxInclusiveAmount currencyID="PEN">{total + tax:.2f}</cbc:TaxInclusiveAmount>
    <cbc:PayableAmount currencyID="PEN">{total + tax:.2f}</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>"""


def _type(element: str, code: str, operation: str = "") -> str:
    listed = f'listID="{operation}" ' if operation else ""
    return f"""<cbc:{element} {listed}listAgencyName="PE:SUNAT" listName="Tipo de Documento" \
listURI="{_CATALOGUE}01">{code}</cbc:{element}>"""


def _invoice(dice: random.Random, cast: _Cast, kind: str, issuer: tuple[str, str], number: str) -> str:
    lines, total = _lines(dice, 0.18)
    tax = total * 0.18
    return f"""{_head(dice, cast, "Invoice", issuer, _type("InvoiceTypeCode", kind, "1001"), number)}
  <cbc:Note languageLocaleID="2006">Operación sujeta a detracción</cbc:Note>
  <cbc:DocumentCurrencyCode listID="ISO 4217 Alpha" listName="Currency">PEN</cbc:DocumentCurrencyCode>
  <cac:DespatchDocumentReference>
    <cbc:ID>T001-{dice.randrange(1, 90_000)}</cbc:ID>
    <cbc:DocumentTypeCode>09</cbc:DocumentTypeCode>
  </cac:DespatchDocumentReference>
  {_party("AccountingSupplierParty", "6", issuer)}
  {_party("AccountingCustomerParty", "6", dice.choice(cast.companies))}
  <cac:PaymentMeans>
    <cbc:ID>Detraccion</cbc:ID>
    <cbc:PaymentMeansCode>001</cbc:PaymentMeansCode>
    <cac:PayeeFinancialAccount>
      <cbc:ID>00-{dice.randrange(10**8, 10**9)}</cbc:ID>
    </cac:PayeeFinancialAccount>
  </cac:PaymentMeans>
  <cac:PaymentTerms>
    <cbc:ID>Detraccion</cbc:ID>
    <cbc:PaymentMeansID>034</cbc:PaymentMeansID>
    <cbc:PaymentPercent>10.00</cbc:PaymentPercent>
    <cbc:Amount currencyID="PEN">{(total + tax) * 0.1:.2f}</cbc:Amount>
  </cac:PaymentTerms>
  <cac:PaymentTerms>
    <cbc:ID>FormaPago</cbc:ID>
    <cbc:PaymentMeansID>Contado</cbc:PaymentMeansID>
  </cac:PaymentTerms>
  {_tax(total, tax, line=False)}
  {_totals(total, tax)}
  {lines}
</Invoice>"""


def _settlement(dice: random.Random, cast: _Cast, kind: str, issuer: tuple[str, str], number: str) -> str:
    lines, total = _lines(dice, 0.0)
    head = _head(dice, cast, "SelfBilledInvoice", issuer, _type("InvoiceTypeCode", kind, "0501"), number)
    return f"""{head}
  <cbc:DocumentCurrencyCode listID="ISO 4217 Alpha" listName="Currency">PEN</cbc:DocumentCurrencyCode>
  {_party("AccountingCustomerParty", "6", issuer)}
  {_party("AccountingSupplierParty", "1", dice.choice(cast.persons))}
  <cac:DeliveryTerms>
    <cac:DeliveryLocation>
      <cbc:LocationTypeCode>03</cbc:LocationTypeCode>
      <cac:Address>
        <cbc:ID schemeAgencyName="PE:INEI" schemeName="Ubigeos">{dice.choice(_UBIGEOS)}</cbc:ID>
        <cac:AddressLine>
          <cbc:Line>PARAJE INVENTADO S/N</cbc:Line>
        </cac:AddressLine>
      </cac:Address>
    </cac:DeliveryLocation>
  </cac:DeliveryTerms>
  {_tax(total, 0.0, line=False)}
  {_totals(total, 0.0)}
  {lines}
</SelfBilledInvoice>"""


def _waybill(dice: random.Random, cast: _Cast, kind: str, issuer: tuple[str, str], number: str) -> str:
    driver, licence = dice.choice(cast.persons), ""
    licence = f"Q{driver[0]}"
    given, family = driver[1].rsplit(" ", 1)[1], driver[1].rsplit(" ", 1)[0]
    sender = _party("DespatchParty", "6", dice.choice(cast.companies), wrap=False) if kind == "31" else ""
    carrier = "" if kind == "31" else _party("CarrierParty", "6", dice.choice(cast.companies), wrap=False)
    stated = "" if kind == "31" else "<cbc:TransportModeCode>01</cbc:TransportModeCode>"
    motive = "" if kind == "31" else "<cbc:HandlingCode>01</cbc:HandlingCode>"
    lines = "".join(
        f"""<cac:DespatchLine>
    <cbc:ID>{i}</cbc:ID>
    <cbc:DeliveredQuantity unitCode="TNE" unitCodeListID="UN/ECE rec 20">{dice.uniform(5, 33):.3f}</cbc:DeliveredQuantity>
    <cac:OrderLineReference>
      <cbc:LineID>{i}</cbc:LineID>
    </cac:OrderLineReference>
    <cac:Item>
      <cbc:Description>{dice.choice(_ORES)}</cbc:Description>
      <cac:AdditionalItemProperty>
        <cbc:Name>Indicador de bien regulado por SUNAT</cbc:Name>
        <cbc:NameCode listName="Propiedad del item" listAgencyName="PE:SUNAT" listURI="{_CATALOGUE}55">7022</cbc:NameCode>
        <cbc:Value>0</cbc:Value>
      </cac:AdditionalItemProperty>
    </cac:Item>
  </cac:DespatchLine>"""
        for i in range(1, dice.randrange(1, 4) + 1)
    )
    return f"""{_head(dice, cast, "DespatchAdvice", issuer, _type("DespatchAdviceTypeCode", kind), number)}
  <cbc:Note>Chofer {given}, placa {dice.choice(cast.plates)}</cbc:Note>
  {_party("DespatchSupplierParty", "6", issuer)}
  {_party("DeliveryCustomerParty", "6", dice.choice(cast.companies))}
  <cac:Shipment>
    <cbc:ID>SUNAT_Envio</cbc:ID>
    {motive}
    <cbc:GrossWeightMeasure unitCode="KGM">{dice.uniform(5_000, 33_000):.3f}</cbc:GrossWeightMeasure>
    <cac:ShipmentStage>
      {stated}
      <cac:TransitPeriod>
        <cbc:StartDate>2025-06-{dice.randrange(1, 31):02d}</cbc:StartDate>
      </cac:TransitPeriod>
      {carrier}
      <cac:DriverPerson>
        <cbc:ID schemeID="1" schemeName="Documento de Identidad" schemeURI="{_CATALOGUE}06">{driver[0]}</cbc:ID>
        <cbc:FirstName>{given}</cbc:FirstName>
        <cbc:FamilyName>{family}</cbc:FamilyName>
        <cbc:JobTitle>Principal</cbc:JobTitle>
        <cac:IdentityDocumentReference>
          <cbc:ID>{licence}</cbc:ID>
        </cac:IdentityDocumentReference>
      </cac:DriverPerson>
    </cac:ShipmentStage>
    <cac:Delivery>
      <cac:DeliveryAddress>
        <cbc:ID schemeName="Ubigeos" schemeAgencyName="PE:INEI">{dice.choice(_UBIGEOS)}</cbc:ID>
        <cac:AddressLine>
          <cbc:Line>CALLE INVENTADA 456</cbc:Line>
        </cac:AddressLine>
      </cac:DeliveryAddress>
      <cac:Despatch>
        <cac:DespatchAddress>
          <cbc:ID schemeName="Ubigeos" schemeAgencyName="PE:INEI">{dice.choice(_UBIGEOS)}</cbc:ID>
          <cac:AddressLine>
            <cbc:Line>PARAJE INVENTADO S/N</cbc:Line>
          </cac:AddressLine>
        </cac:DespatchAddress>
        {sender}
      </cac:Despatch>
    </cac:Delivery>
    <cac:TransportHandlingUnit>
      <cac:TransportEquipment>
        <cbc:ID>{dice.choice(cast.plates)}</cbc:ID>
      </cac:TransportEquipment>
    </cac:TransportHandlingUnit>
  </cac:Shipment>
  {lines}
</DespatchAdvice>"""
