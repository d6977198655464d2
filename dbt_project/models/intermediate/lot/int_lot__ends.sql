-- Where the papers lose sight of copper: lots of which something went into no other one. EXPORTED where there is an
-- export declaration, else the kind of lot at which it ends: PIT, LOAD, PRODUCT. left_g is how much of the lot's
-- copper ends there: all, or what the lots that it went into do not have, if that is more than scales and assays
-- differ by. Tailings are an end of their own and not told here.
with onward as (
    select
        from_lot_key as lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    group by from_lot_key, is_synthetic
),

shared as (
    select
        lot_key,
        max(lot_copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__shares') }}
    where basis_code = 'LOT'
    group by lot_key, is_synthetic
),

ended as (
    select
        lots.lot_key,
        case
            when exported.lot_key is not null then 'EXPORTED'
            when lots.lot_kind_code in ('PIT', 'LOAD') then lots.lot_kind_code
            else 'PRODUCT'
        end as end_code,
        coalesce(shared.copper_g, 0) as copper_g,
        case
            when exported.lot_key is null and onward.lot_key is not null then shared.copper_g - onward.copper_g
            else coalesce(shared.copper_g, 0)
        end as left_g,
        lots.is_synthetic
    from {{ ref('int_lot__measures') }} as lots
    left join {{ ref('int_export__lots_valued') }} as exported
        on lots.lot_key = exported.lot_key and lots.is_synthetic = exported.is_synthetic
    left join onward
        on lots.lot_key = onward.lot_key and lots.is_synthetic = onward.is_synthetic
    left join shared
        on lots.lot_key = shared.lot_key and lots.is_synthetic = shared.is_synthetic
    where
        lots.lot_kind_code not in ('TAILINGS', 'UNACCOUNTED')
        and (
            exported.lot_key is not null
            or onward.lot_key is null
            or onward.copper_g < shared.copper_g * (1 - {{ imputation_rule('LEFT_OVER_FRAC') }})
        )
)

select
    lot_key,
    end_code,
    cast(left_g as bigint) as left_g,
    cast(coalesce(cast(left_g as double) / nullif(copper_g, 0), 1) as decimal(9, 6)) as left_frac,
    is_synthetic
from ended
