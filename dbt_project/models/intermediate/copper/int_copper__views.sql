{{ config(materialized='view') }}
-- Every view of the copper row by row, before it is summed: official production at the concentration stage, hauls of
-- ore by waybills and by scales (what they hold, and what a plant recovers of it), lots exported, published claims. A
-- view is never added to another. Every row stands once for the country and once for its department; what has no
-- department stands for the country alone, and what is claimed of a department for that alone. An exported lot stands
-- for the country as it was declared, and for the departments of the ores it was made of by their copper in it.
with hauls as (
    select
        *,
        cast(contained_low_t * recovery_low_frac as decimal(24, 9)) as recoverable_low_t,
        cast(contained_t * recovery_frac as decimal(24, 9)) as recoverable_t,
        cast(contained_high_t * recovery_high_frac as decimal(24, 9)) as recoverable_high_t,
        case grade_basis_code when 'ASSAYED' then 1 else 0 end as is_assayed
    from {{ ref('int_copper__hauls_assayed') }}
),

-- Parts of exported lots by where their ore came from, as far as the papers tell it.
origins as (
    select
        parts.lot_key,
        lots.department_code,
        sum(parts.copper_g) as copper_g,
        parts.is_synthetic
    from {{ ref('int_lot__genealogy') }} as parts
    inner join {{ ref('dim_lot') }} as lots
        on parts.origin_lot_key = lots.lot_key and parts.is_synthetic = lots.is_synthetic
    group by parts.lot_key, lots.department_code, parts.is_synthetic
),

parted as (
    select
        *,
        cast(copper_g as double) / sum(copper_g) over (partition by lot_key, is_synthetic) as part_frac
    from origins
),

exports as (
    select
        'country' as only_level,
        cast(null as varchar) as department_code,
        shipped_date,
        coalesce(copper_low_t, copper_t) as copper_low_t,
        copper_t,
        coalesce(copper_high_t, copper_t) as copper_high_t,
        net_wmt,
        is_synthetic,
        landing_sha256,
        row_number
    from {{ ref('int_copper__exports') }}

    union all

    select
        'department' as only_level,
        parted.department_code,
        exports.shipped_date,
        cast(coalesce(exports.copper_low_t, exports.copper_t) * parted.part_frac as decimal(24, 9)) as copper_low_t,
        cast(exports.copper_t * parted.part_frac as decimal(24, 9)) as copper_t,
        cast(coalesce(exports.copper_high_t, exports.copper_t) * parted.part_frac as decimal(24, 9)) as copper_high_t,
        cast(exports.net_wmt * parted.part_frac as decimal(18, 6)) as net_wmt,
        exports.is_synthetic,
        exports.landing_sha256,
        exports.row_number
    from {{ ref('int_copper__exports') }} as exports
    inner join parted
        on exports.lot_key = parted.lot_key and exports.is_synthetic = parted.is_synthetic
    where parted.department_code is not null and parted.copper_g > 0
),

rows_of_all as (
    select
        'OFFICIAL_' || stratum_code as measure_code,
        cast(null as varchar) as claim_code,
        cast(null as varchar) as only_level,
        month as first_date,
        last_day(month) as last_date,
        department_code,
        cast(fine_copper_t as decimal(38, 12)) as copper_low_t,
        cast(fine_copper_t as decimal(38, 12)) as copper_t,
        cast(fine_copper_t as decimal(38, 12)) as copper_high_t,
        cast(null as decimal(38, 12)) as assayed_t,
        cast(null as decimal(38, 6)) as mass_low_wmt,
        cast(null as decimal(38, 6)) as mass_high_wmt,
        cast(null as decimal(18, 0)) as trip_low_count,
        cast(null as decimal(18, 0)) as trip_high_count,
        1 as evidence_count,
        is_synthetic,
        landing_sha256,
        row_number
    from {{ ref('int_production__copper') }}
    where stage_code = 'CONCENTRACION'
    {% for stage in ['contained', 'recoverable'] %}
        union all

        select
            source_code || '_ORE_{{ stage | upper }}' as measure_code,
            null as claim_code,
            null as only_level,
            haul_date as first_date,
            haul_date as last_date,
            department_code,
            {{ stage }}_low_t as copper_low_t,
            {{ stage }}_t as copper_t,
            {{ stage }}_high_t as copper_high_t,
            {{ stage }}_t * is_assayed as assayed_t,
            mass_wmt as mass_low_wmt,
            mass_wmt as mass_high_wmt,
            1 as trip_low_count,
            1 as trip_high_count,
            1 as evidence_count,
            is_synthetic,
            landing_sha256,
            row_number
        from hauls
    {% endfor %}
    union all

    select
        'EXPORT_CONTAINED' as measure_code,
        null as claim_code,
        only_level,
        shipped_date as first_date,
        shipped_date as last_date,
        department_code,
        copper_low_t,
        copper_t,
        copper_high_t,
        null as assayed_t,
        net_wmt as mass_low_wmt,
        net_wmt as mass_high_wmt,
        null as trip_low_count,
        null as trip_high_count,
        1 as evidence_count,
        is_synthetic,
        landing_sha256,
        row_number
    from exports

    union all

    select
        case quantity_code when 'TRUCKS_PER_DAY' then 'CLAIM_TRUCKS' else 'CLAIM_COPPER' end as measure_code,
        claim_code,
        case when department_code is null then 'country' else 'department' end as only_level,
        as_of_date as first_date,
        as_of_date as last_date,
        department_code,
        copper_low_t,
        null as copper_t,
        copper_high_t,
        null as assayed_t,
        ore_low_t as mass_low_wmt,
        ore_high_t as mass_high_wmt,
        trips_low as trip_low_count,
        trips_high as trip_high_count,
        1 as evidence_count,
        false as is_synthetic,
        null as landing_sha256,
        null as row_number
    from {{ ref('int_copper__claims') }}
),

levels as (
    select 'country' as place_level
    union all
    select 'department' as place_level
)

select
    cast(extract(year from rows_of_all.first_date) as integer) as production_year,
    levels.place_level,
    case levels.place_level when 'department' then rows_of_all.department_code end as department_code,
    rows_of_all.measure_code,
    rows_of_all.claim_code,
    rows_of_all.first_date,
    rows_of_all.last_date,
    rows_of_all.copper_low_t,
    rows_of_all.copper_t,
    rows_of_all.copper_high_t,
    rows_of_all.assayed_t,
    rows_of_all.mass_low_wmt,
    rows_of_all.mass_high_wmt,
    rows_of_all.trip_low_count,
    rows_of_all.trip_high_count,
    rows_of_all.evidence_count,
    rows_of_all.is_synthetic,
    rows_of_all.landing_sha256,
    rows_of_all.row_number
from rows_of_all
inner join levels
    on
        coalesce(rows_of_all.only_level, levels.place_level) = levels.place_level
        and (levels.place_level = 'country' or rows_of_all.department_code is not null)
