-- Departments, provinces and districts with INEI and RENIEC codes. A district without an INEI code has no row:
-- nothing can be joined to it by code.
with departments as (
    select * from {{ ref('stg_ubigeo__departments') }} where is_current
),

provinces as (
    select * from {{ ref('stg_ubigeo__provinces') }} where is_current
),

districts as (
    select * from {{ ref('stg_ubigeo__districts') }} where is_current and ubigeo_code is not null
)

select
    ubigeo_code,
    'department' as place_level,
    reniec_code,
    left(ubigeo_code, 2) as department_code,
    cast(null as varchar) as province_code,
    department_name,
    cast(null as varchar) as province_name,
    cast(null as varchar) as district_name,
    capital_name,
    area_km2,
    altitude_masl,
    capital_latitude_deg,
    capital_longitude_deg,
    source_as_of,
    is_synthetic,
    landing_sha256,
    row_number
from departments
union all
select
    ubigeo_code,
    'province' as place_level,
    reniec_code,
    left(ubigeo_code, 2) as department_code,
    left(ubigeo_code, 4) as province_code,
    department_name,
    province_name,
    cast(null as varchar) as district_name,
    capital_name,
    area_km2,
    altitude_masl,
    capital_latitude_deg,
    capital_longitude_deg,
    source_as_of,
    is_synthetic,
    landing_sha256,
    row_number
from provinces
union all
select
    ubigeo_code,
    'district' as place_level,
    reniec_code,
    left(ubigeo_code, 2) as department_code,
    left(ubigeo_code, 4) as province_code,
    department_name,
    province_name,
    district_name,
    capital_name,
    area_km2,
    altitude_masl,
    capital_latitude_deg,
    capital_longitude_deg,
    source_as_of,
    is_synthetic,
    landing_sha256,
    row_number
from districts
order by ubigeo_code
