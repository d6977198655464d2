-- No lot gives more copper to campaigns than it holds.
with given as (
    select
        from_lot_key as lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    group by from_lot_key, is_synthetic
)

select
    given.lot_key,
    lots.copper_g as lot_copper_g,
    given.copper_g,
    given.is_synthetic
from given
left join {{ ref('int_lot__ledger') }} as lots
    on given.lot_key = lots.lot_key and given.is_synthetic = lots.is_synthetic
where lots.copper_g is null or given.copper_g > lots.copper_g
