-- What the road to a plant costs a dry tonne of ore from each department, by year: the median over loads whose freight
-- was paid apart, where there are enough of them (ref_price_measure_rule).
with freights as (
    select
        lot_key,
        is_synthetic,
        sum(value_usd) as freight_usd
    from {{ ref('fct_transfer') }}
    where kind_code = 'HAULAGE' and value_basis_code = 'observed'
    group by lot_key, is_synthetic
),

loads as (
    select
        lot_key,
        is_synthetic,
        max(reinfo_key) as reinfo_key,
        min(first_date) as first_date,
        max(mass_dmt) as mass_dmt
    from {{ ref('fct_transfer') }}
    where kind_code = 'ORE_AT_PLANT' and mass_dmt > 0
    group by lot_key, is_synthetic
)

select
    origins.department_code,
    extract(year from loads.first_date) as year,
    count(*) as load_count,
    cast(median(freights.freight_usd / loads.mass_dmt) as decimal(18, 8)) as haul_usd_per_dmt,
    loads.is_synthetic
from loads
inner join freights on loads.lot_key = freights.lot_key and loads.is_synthetic = freights.is_synthetic
inner join {{ ref('int_formalization__dimensions') }} as origins
    on loads.reinfo_key = origins.registration_key and loads.is_synthetic = origins.is_synthetic
where origins.department_code <> '--'
group by origins.department_code, extract(year from loads.first_date), loads.is_synthetic
having count(*) >= {{ price_measure_rule('HAULS_LEAST') }}
