-- To the gram: the origins' copper in exported lots, and where lots end, is the copper of those lots.
with origins as (
    select
        sum(exported_g) as exported_g,
        sum(at_pit_g) as at_pit_g,
        sum(at_plant_g) as at_plant_g,
        sum(in_store_g) as in_store_g,
        is_synthetic
    from {{ ref('int_lot__origins') }}
    group by is_synthetic
),

shares as (
    select
        lot_key,
        max(lot_copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__shares') }}
    where basis_code = 'LOT'
    group by lot_key, is_synthetic
),

lots as (
    select
        coalesce(sum(shares.copper_g) filter (where ends.end_code = 'EXPORTED'), 0) as exported_g,
        coalesce(sum(shares.copper_g) filter (where ends.end_code = 'PIT'), 0) as at_pit_g,
        coalesce(sum(shares.copper_g) filter (where ends.end_code = 'LOAD'), 0) as at_plant_g,
        coalesce(sum(shares.copper_g) filter (where ends.end_code = 'PRODUCT'), 0) as in_store_g,
        ends.is_synthetic
    from {{ ref('int_lot__ends') }} as ends
    inner join shares
        on ends.lot_key = shares.lot_key and ends.is_synthetic = shares.is_synthetic
    group by ends.is_synthetic
)

select
    origins.exported_g,
    lots.exported_g as lots_exported_g
from origins
full join lots on origins.is_synthetic = lots.is_synthetic
where
    coalesce(origins.exported_g, 0) <> coalesce(lots.exported_g, 0)
    or coalesce(origins.at_pit_g, 0) <> coalesce(lots.at_pit_g, 0)
    or coalesce(origins.at_plant_g, 0) <> coalesce(lots.at_plant_g, 0)
    or coalesce(origins.in_store_g, 0) <> coalesce(lots.in_store_g, 0)
