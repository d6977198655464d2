-- What a lot takes from what was fed to its campaign is all the copper that its line tells, where both sides are told.
with taken as (
    select
        to_lot_key as lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    group by to_lot_key, is_synthetic
)

select
    lots.lot_key,
    lots.copper_g as lot_copper_g,
    taken.copper_g,
    lots.is_synthetic
from taken
inner join {{ ref('int_lot__ledger') }} as lots
    on taken.lot_key = lots.lot_key and taken.is_synthetic = lots.is_synthetic
where taken.copper_g <> lots.copper_g
