select
    ubigeo_code,
    reniec_code,
    department_name,
    province_name,
    capital_name,
    area_km2,
    altitude_masl,
    capital_latitude_deg,
    capital_longitude_deg,
    human_development_index_2019,
    poverty_pct,
    {{ lineage() }},
    {{ is_current(['department_name', 'province_name']) }} as is_current
from {{ source('raw', 'ubigeo__provinces') }}
