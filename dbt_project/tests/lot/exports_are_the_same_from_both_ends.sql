-- What an origin lot says went into an exported lot is what that lot says came of the origin, to the gram: of lots of
-- which nothing was fed on, and of origins some of whose copper is elsewhere too, where what whole grams leave over is.
with elsewhere as (
    select distinct
        origin_lot_key,
        is_synthetic
    from {{ ref('int_lot__destinations') }}
    where destination_code <> 'EXPORTED'
)

select
    parts.lot_key,
    parts.origin_lot_key,
    parts.copper_g,
    ends.copper_g as destination_g
from {{ ref('int_lot__genealogy') }} as parts
inner join {{ ref('int_lot__books') }} as books
    on parts.lot_key = books.lot_key and parts.is_synthetic = books.is_synthetic and books.is_exported
inner join elsewhere
    on parts.origin_lot_key = elsewhere.origin_lot_key and parts.is_synthetic = elsewhere.is_synthetic
left join {{ ref('int_lot__edges') }} as edges
    on parts.lot_key = edges.from_lot_key and parts.is_synthetic = edges.is_synthetic
left join {{ ref('int_lot__destinations') }} as ends
    on
        parts.lot_key = ends.lot_key
        and parts.origin_lot_key = ends.origin_lot_key
        and parts.is_synthetic = ends.is_synthetic
where edges.from_lot_key is null and parts.copper_g > 0 and parts.copper_g is distinct from ends.copper_g
