-- Where the papers lose sight of copper: lots that went into no other one. EXPORTED where there is an export
-- declaration, else the kind of lot at which it ends: PIT, LOAD, PRODUCT. Tailings are an end of their own and not
-- told here.
with onward as (
    select distinct
        from_lot_key as lot_key,
        is_synthetic
    from {{ ref('int_lot__edges') }}
),

ended as (
    select
        lots.lot_key,
        case
            when exported.lot_key is not null then 'EXPORTED'
            when onward.lot_key is null then lots.lot_kind_code
        end as end_code,
        lots.is_synthetic
    from {{ ref('int_lot__measures') }} as lots
    left join {{ ref('int_export__lots_valued') }} as exported
        on lots.lot_key = exported.lot_key and lots.is_synthetic = exported.is_synthetic
    left join onward
        on lots.lot_key = onward.lot_key and lots.is_synthetic = onward.is_synthetic
    where lots.lot_kind_code <> 'TAILINGS'
)

select
    lot_key,
    end_code,
    is_synthetic
from ended
where end_code is not null
