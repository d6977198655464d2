"""Answers to partners' field surveys."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_surveys__answers"
SOURCE = Source(
    slug="partner_surveys",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Associations, regional offices and projects that survey operators",
    licence="Confidencial: entregado por socios",
    attribution="Encuestas de campo entregadas por socios",
    title_es="Encuestas de socios",
)
identify, parse = reader(TABLE)
