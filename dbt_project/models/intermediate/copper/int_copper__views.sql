-- Every view of the copper row by row, before it is summed: official production at the concentration stage, hauls of
-- ore by waybills and by scales (what they hold, and what a plant recovers of it), lots exported, published claims. A
-- view is never added to another.
with hauls as (
    select
        *,
        cast(contained_low_t * recovery_low_frac as decimal(24, 9)) as recoverable_low_t,
        cast(contained_t * recovery_frac as decimal(24, 9)) as recoverable_t,
        cast(contained_high_t * recovery_high_frac as decimal(24, 9)) as recoverable_high_t,
        case grade_basis_code when 'ASSAYED' then 1 else 0 end as is_assayed
    from {{ ref('int_copper__hauls_assayed') }}
)

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
    is_synthetic
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
        is_synthetic
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
    is_synthetic
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
    false as is_synthetic
from {{ ref('int_copper__claims') }}
