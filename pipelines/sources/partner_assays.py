"""Assay certificates of partners' laboratories."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_assays__certificates"
SOURCE = Source(
    slug="partner_assays",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Laboratories",
    licence="Confidencial: entregado por socios",
    attribution="Certificados de ensaye entregados por laboratorios",
    title_es="Certificados de ensaye de socios",
)
identify, parse = reader(TABLE)
