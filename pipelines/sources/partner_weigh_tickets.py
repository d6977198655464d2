"""Weigh tickets of partners' truck scales."""

from pipelines.sources import Source
from pipelines.sources.partner import reader

TABLE = "partner_weigh_tickets__tickets"
SOURCE = Source(
    slug="partner_weigh_tickets",
    group="intermediary",
    period="month",
    tables=(TABLE,),
    producer="Plants and warehouses with a truck scale",
    licence="Confidencial: entregado por socios",
    attribution="Tickets de balanza entregados por plantas y depósitos",
    title_es="Tickets de balanza de socios",
)
identify, parse = reader(TABLE)
