-- One row per line of a MINEM file. A later file replaces whole months: the same month never counts twice.
select
    month,
    department_name,
    province_name,
    district_name,
    stratum_name,
    process_name,
    stage_name,
    mineral_name,
    titular_name_key,
    titular_company_name,
    unit_name,
    unit_of_measure,
    quantity,
    {{ lineage() }},
    {{ is_current(['month']) }} as is_current
from {{ source('raw', 'minem_production__quantities') }}
