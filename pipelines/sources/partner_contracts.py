"""Contracts between holders of mining rights and operators, handed over by partners."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_contracts__contracts"
SOURCE = Source(
    slug="partner_contracts",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Miners' associations, holders and operators",
    licence="Confidencial: entregado por socios",
    attribution="Contratos entregados por asociaciones, titulares y operadores",
    title_es="Contratos de explotación y cesión de socios",
)
identify, parse = reader(TABLE)
