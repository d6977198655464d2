-- The pieces of every lot of every batch are its copper to the gram, and none is negative.
with pieces as (
    select
        scope_code,
        batch_key,
        lot_key,
        sum(copper_g) as copper_g,
        min(copper_g) as least_g,
        is_synthetic
    from {{ ref('int_custody__pieces') }}
    group by scope_code, batch_key, lot_key, is_synthetic
)

select
    batches.scope_code,
    batches.batch_key,
    batches.lot_key,
    batches.copper_g,
    pieces.copper_g as pieces_g
from {{ ref('int_custody__batches') }} as batches
left join pieces
    on
        batches.scope_code = pieces.scope_code
        and batches.batch_key = pieces.batch_key
        and batches.lot_key = pieces.lot_key
        and batches.is_synthetic = pieces.is_synthetic
where coalesce(batches.copper_g <> pieces.copper_g, true) or pieces.least_g < 0
