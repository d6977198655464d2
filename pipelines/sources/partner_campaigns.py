"""Metallurgical balances of partner plants' campaigns."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_campaigns__lines"
SOURCE = Source(
    slug="partner_campaigns",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Processing plants",
    licence="Confidencial: entregado por socios",
    attribution="Balances metalúrgicos entregados por plantas de beneficio",
    title_es="Campañas de plantas socias",
)
identify, parse = reader(TABLE)
