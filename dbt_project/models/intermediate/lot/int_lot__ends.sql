-- Where the papers lose sight of copper: lots of which something went into no other one. EXPORTED, what an export
-- declaration says of it; else, the kind of lot at which it ends: PIT, LOAD, PRODUCT. left_g is how much of the lot's
-- copper ends there: what the lots that it went into do not have, if that is more than scales and assays differ by. Of
-- an exported lot it is what did not go on; where the declaration has less of that by more than they differ by, what is
-- declared, and the rest is still in the store. Tailings are an end of their own and not told here.
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

held as (
    select
        lots.lot_key,
        lots.lot_kind_code,
        exported.lot_key is not null as is_exported,
        coalesce(shared.copper_g, 0) as copper_g,
        {{ not_below_zero('coalesce(shared.copper_g, 0) - coalesce(onward.copper_g, 0)') }} as left_g,
        exported.port_copper_g,
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
),

declared as (
    select
        *,
        case
            when not is_exported then 0
            when port_copper_g < left_g * (1 - {{ imputation_rule('LEFT_OVER_FRAC') }}) then port_copper_g
            else left_g
        end as exported_g
    from held
),

ended as (
    select
        lot_key,
        'EXPORTED' as end_code,
        copper_g,
        exported_g as left_g,
        is_synthetic
    from declared
    where is_exported

    union all

    select
        lot_key,
        case
            when not is_exported and lot_kind_code in ('PIT', 'LOAD') then lot_kind_code
            else 'PRODUCT'
        end as end_code,
        copper_g,
        left_g - exported_g as left_g,
        is_synthetic
    from declared
    where not is_exported or exported_g < left_g
)

select
    lot_key,
    end_code,
    cast(left_g as bigint) as left_g,
    cast(coalesce(cast(left_g as double) / nullif(copper_g, 0), 1) as decimal(9, 6)) as left_frac,
    is_synthetic
from ended
