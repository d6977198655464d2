"""Lines of partners' export declarations."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_exports__lines"
SOURCE = Source(
    slug="partner_exports",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Exporters and traders",
    licence="Confidencial: entregado por socios",
    attribution="Declaraciones de exportación entregadas por exportadores",
    title_es="Exportaciones de socios",
)
identify, parse = reader(TABLE)
