-- Current MINEM rows with codes, places and one unit: fine tonnes of the metal.
with current_rows as (
    select * from {{ ref('stg_minem_production__quantities') }}
    where is_current
)

select
    current_rows.month,
    current_rows.mineral_name,
    strata.stratum_code,
    stages.stage_code,
    places.department_code,
    places.ubigeo_code,
    places.place_level,
    current_rows.titular_name_key,
    current_rows.titular_company_name,
    current_rows.unit_name,
    cast(current_rows.quantity * mass_units.t_per_unit as decimal(28, 12)) as fine_metal_t,
    current_rows.source_as_of,
    current_rows.is_synthetic,
    current_rows.landing_sha256,
    current_rows.row_number
from current_rows
inner join {{ ref('minem_strata') }} as strata on current_rows.stratum_name = strata.stratum_name
inner join {{ ref('minem_stages') }} as stages on current_rows.stage_name = stages.stage_name
inner join {{ ref('mass_units') }} as mass_units on current_rows.unit_of_measure = mass_units.unit_of_measure
left join {{ ref('int_places__names_matched') }} as places
    on
        current_rows.department_name is not distinct from places.department_name
        and current_rows.province_name is not distinct from places.province_name
        and current_rows.district_name is not distinct from places.district_name
