"""Attendance at partners' training sessions."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_trainings__attendances"
SOURCE = Source(
    slug="partner_trainings",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Institutions that train miners",
    licence="Confidencial: entregado por socios",
    attribution="Asistencias informadas por entidades que capacitan",
    title_es="Capacitaciones de socios",
)
identify, parse = reader(TABLE)
