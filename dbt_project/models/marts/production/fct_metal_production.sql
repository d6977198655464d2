-- Metal produced, by month, titular, unit, place, stratum, stage and mineral. Never sum over stages.
select
    month,
    mineral_name,
    stage_code,
    stratum_code,
    department_code,
    ubigeo_code,
    place_level,
    titular_name_key,
    titular_company_name,
    unit_name,
    fine_metal_t,
    source_as_of,
    is_synthetic,
    landing_sha256,
    row_number
from {{ ref('int_production__quantities_standardised') }}
order by month, mineral_name, stage_code, department_code, landing_sha256, row_number
