"""Steps of formalization as regional offices and the ministry record them."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_step_events__events"
SOURCE = Source(
    slug="partner_step_events",
    group="registry",
    period="month",
    tables=(TABLE,),
    producer="Regional offices of energy and mines, MINEM",
    licence="Confidencial: entregado por socios",
    attribution="Pasos de la formalización informados por las direcciones regionales y el MINEM",
    title_es="Pasos de la formalización",
)
identify, parse = reader(TABLE)
