{{ config(materialized='view') }}
-- Every view of the copper row by row, before it is summed: official production at the concentration stage, hauls of
-- ore by waybills and by scales (what they hold, and what a plant recovers of it), lots exported, published claims. A
-- view is never added to another. Every row stands once for the country and once for its department; what has no
-- department stands for the country alone, and what is claimed of a department for that alone.
with hauls as (
    select
        *,
        cast(contained_low_t * recovery_low_frac as decimal(24, 9)) as recoverable_low_t,
        cast(contained_t * recovery_frac as decimal(24, 9)) as recoverable_t,
        cast(contained_high_t * recovery_high_frac as decimal(24, 9)) as recoverable_high_t,
        case grade_basis_code when 'ASSAYED' then 1 else 0 end as is_assayed
    from {{ ref('int_copper__hauls_assayed') }}
),

rows_of_all as (
    select
        'OFFICIAL_' || stratum_code as measure_code,
        cast(null as varchar) as claim_code,
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
        shipped_date as first_date,
        shipped_date as last_date,
        null as department_code,
        coalesce(copper_low_t, copper_t) as copper_low_t,
        copper_t,
        coalesce(copper_high_t, copper_t) as copper_high_t,
        null as assayed_t,
        net_wmt as mass_low_wmt,
        net_wmt as mass_high_wmt,
        null as trip_low_count,
        null as trip_high_count,
        1 as evidence_count,
        is_synthetic,
        landing_sha256,
        row_number
    from {{ ref('int_copper__exports') }}

    union all

    select
        case quantity_code when 'TRUCKS_PER_DAY' then 'CLAIM_TRUCKS' else 'CLAIM_COPPER' end as measure_code,
        claim_code,
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
        (levels.place_level = 'department' and rows_of_all.department_code is not null)
        or (
            levels.place_level = 'country'
            and (rows_of_all.claim_code is null or rows_of_all.department_code is null)
        )
