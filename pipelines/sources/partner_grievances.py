"""Grievances received by partners."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_grievances__cases"
SOURCE = Source(
    slug="partner_grievances",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Associations, companies and offices that receive grievances",
    licence="Confidencial: entregado por socios",
    attribution="Quejas y reclamos informados por asociaciones, empresas y oficinas",
    title_es="Quejas y reclamos de socios",
)
identify, parse = reader(TABLE)
