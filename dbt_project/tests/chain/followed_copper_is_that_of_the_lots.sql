-- To the gram: the origins' copper in exported lots, and where whole lots end, is the copper of those lots; and no
-- origin has more copper there than it has at all.
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

-- What ends in part is cut to grams by origin: at most one gram less for each.
ends as (
    select
        coalesce(sum(left_g) filter (where end_code = 'EXPORTED'), 0) as exported_g,
        coalesce(sum(left_g) filter (where end_code = 'PIT'), 0) as at_pit_g,
        coalesce(sum(left_g) filter (where end_code = 'LOAD'), 0) as at_plant_g,
        coalesce(sum(left_g) filter (where end_code = 'PRODUCT'), 0) as in_store_g,
        is_synthetic
    from {{ ref('int_lot__ends') }}
    group by is_synthetic
),

parts as (
    select
        count(*) as part_count,
        shares.is_synthetic
    from {{ ref('int_lot__shares') }} as shares
    inner join {{ ref('int_lot__ends') }} as ends
        on shares.lot_key = ends.lot_key and shares.is_synthetic = ends.is_synthetic
    where shares.basis_code = 'LOT' and ends.left_g < shares.lot_copper_g
    group by shares.is_synthetic
)

select
    origins.is_synthetic,
    origins.exported_g,
    ends.exported_g as ends_exported_g
from origins
full join ends on origins.is_synthetic = ends.is_synthetic
left join parts on ends.is_synthetic = parts.is_synthetic
where
    coalesce(ends.exported_g, 0) - coalesce(origins.exported_g, 0) not between 0 and coalesce(parts.part_count, 0)
    or coalesce(ends.at_pit_g, 0) - coalesce(origins.at_pit_g, 0) not between 0 and coalesce(parts.part_count, 0)
    or coalesce(ends.at_plant_g, 0) - coalesce(origins.at_plant_g, 0) not between 0 and coalesce(parts.part_count, 0)
    or coalesce(ends.in_store_g, 0) - coalesce(origins.in_store_g, 0) not between 0 and coalesce(parts.part_count, 0)
