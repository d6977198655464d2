"""Settlement sheets of partners who buy ore and concentrate."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_settlements__settlements"
SOURCE = Source(
    slug="partner_settlements",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Plants, collectors and traders who buy ore or concentrate",
    licence="Confidencial: entregado por socios",
    attribution="Liquidaciones entregadas por compradores",
    title_es="Liquidaciones de compra de socios",
)
identify, parse = reader(TABLE)
