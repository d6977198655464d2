-- The grams that an origin lot began with are all somewhere: exported, in tailings or stock, unaccounted, not followed.
with went as (
    select
        origin_lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__destinations') }}
    group by origin_lot_key, is_synthetic
)

select
    origins.lot_key,
    origins.copper_g,
    went.copper_g as went_g,
    origins.is_synthetic
from {{ ref('int_lot__genealogy') }} as origins
left join went
    on origins.lot_key = went.origin_lot_key and origins.is_synthetic = went.is_synthetic
where
    origins.lot_key = origins.origin_lot_key
    and origins.copper_g > 0
    and (went.origin_lot_key is null or went.copper_g <> origins.copper_g)
