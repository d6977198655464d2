-- Copper alone, in fine tonnes: the rows that the published product adds up.
select
    month,
    department_code,
    stratum_code,
    stage_code,
    titular_name_key,
    titular_company_name,
    unit_name,
    fine_metal_t as fine_copper_t,
    source_as_of,
    is_synthetic,
    landing_sha256,
    row_number
from {{ ref('int_production__quantities_standardised') }}
where mineral_name = 'COBRE'
