-- What was exported of lots, and is still in the store of what was declared, is what their origins' destinations say of
-- them: no copper that went on into another lot ends twice. Destinations and ends are cut to grams by origin.
with ends as (
    select
        ends.lot_key,
        sum(ends.left_g) as left_g,
        ends.is_synthetic
    from {{ ref('int_lot__ends') }} as ends
    inner join {{ ref('int_export__lots_valued') }} as exported
        on ends.lot_key = exported.lot_key and ends.is_synthetic = exported.is_synthetic
    group by ends.lot_key, ends.is_synthetic
),

told as (
    select
        sum(left_g) as left_g,
        is_synthetic
    from ends
    group by is_synthetic
),

reached as (
    select
        sum(case when destination_code = 'EXPORTED' then copper_g else 0 end) as exported_g,
        count(*) as part_count,
        is_synthetic
    from {{ ref('int_lot__destinations') }}
    group by is_synthetic
)

select
    told.is_synthetic,
    told.left_g,
    reached.exported_g
from told
left join reached on told.is_synthetic = reached.is_synthetic
where abs(told.left_g - coalesce(reached.exported_g, 0)) > coalesce(reached.part_count, 0)
