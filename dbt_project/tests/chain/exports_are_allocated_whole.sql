-- Grams and cents of an exported lot's terms are those of its origins together; an exported lot without a genealogy has
-- itself as origin. Copper in exported lots and where lots end is that of the lots.
with allocated as (
    select
        lot_key,
        sum(port_copper_g) as port_copper_g,
        sum(payable_copper_g) as payable_copper_g,
        sum(metal_cents) as metal_cents,
        sum(tc_rc_cents) as tc_rc_cents,
        sum(penalties_cents) as penalties_cents,
        sum(credits_cents) as credits_cents,
        is_synthetic
    from {{ ref('int_lot__exports_allocated') }}
    group by lot_key, is_synthetic
)

select
    exported.lot_key,
    exported.metal_cents,
    allocated.metal_cents as allocated_cents
from {{ ref('int_export__lots_valued') }} as exported
left join allocated
    on exported.lot_key = allocated.lot_key and exported.is_synthetic = allocated.is_synthetic
where
    allocated.lot_key is null
    or exported.port_copper_g <> allocated.port_copper_g
    or exported.payable_copper_g <> allocated.payable_copper_g
    or exported.metal_cents <> allocated.metal_cents
    or exported.tc_rc_cents <> allocated.tc_rc_cents
    or exported.penalties_cents <> allocated.penalties_cents
    or exported.credits_cents <> allocated.credits_cents
