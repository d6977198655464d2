-- What MINEM published of a stratum stands in the mart to the gram, year by year, and no stratum that it left out has
-- a figure.
with published as (
    select
        extract(year from month) as production_year,
        stratum_code,
        is_synthetic,
        sum(fine_metal_t) as copper_t
    from {{ ref('fct_metal_production') }}
    where mineral_name = 'COBRE' and stage_code = 'CONCENTRACION'
    group by extract(year from month), stratum_code, is_synthetic
),

shown as (
    select
        production_year,
        replace(measure_code, 'OFFICIAL_', '') as stratum_code,
        is_synthetic,
        copper_t
    from {{ ref('mart_invisible_copper') }}
    where measure_code like 'OFFICIAL%' and place_level = 'country' and basis_code <> 'NOT_REPORTED'
)

select
    published.copper_t as published_t,
    shown.copper_t as shown_t
from published
full join shown
    on
        published.production_year = shown.production_year
        and published.stratum_code = shown.stratum_code
        and published.is_synthetic = shown.is_synthetic
where
    published.copper_t is null
    or shown.copper_t is null
    or abs(published.copper_t - shown.copper_t) > 0.000001
