-- Every lot with copper is made of origin lots whose grams add up to its own, and whose shares add up to one.
with parts as (
    select
        lot_key,
        sum(copper_g) as copper_g,
        sum(share_frac) as share_frac,
        is_synthetic
    from {{ ref('int_lot__genealogy') }}
    group by lot_key, is_synthetic
)

select
    lots.lot_key,
    lots.copper_g as lot_copper_g,
    parts.copper_g,
    parts.share_frac,
    lots.is_synthetic
from {{ ref('dim_lot') }} as lots
left join parts
    on lots.lot_key = parts.lot_key and lots.is_synthetic = parts.is_synthetic
where
    lots.copper_g is not null
    and (parts.lot_key is null or parts.copper_g <> lots.copper_g or abs(parts.share_frac - 1) > 1e-9)
