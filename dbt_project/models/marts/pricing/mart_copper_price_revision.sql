{{ config(meta={'trace': {'where': {'commodity_name': 'Copper'}}}) }}
-- How vintages revised the copper price: one row per month and vintage that has it.
with vintages as (
    select
        month,
        source_as_of,
        is_synthetic,
        is_current,
        cast(price as decimal(18, 6)) as copper_usd_per_t,
        landing_sha256,
        row_number
    from {{ ref('stg_worldbank_pinksheet__prices') }}
    where commodity_name = 'Copper' and unit_of_measure = '$/mt' and price is not null
)

select
    month,
    source_as_of,
    copper_usd_per_t,
    copper_usd_per_t - lag(copper_usd_per_t) over (
        partition by month, is_synthetic order by source_as_of, landing_sha256
    ) as revision_usd_per_t,
    is_current,
    is_synthetic,
    landing_sha256,
    row_number
from vintages
order by month, source_as_of, landing_sha256
