{{ config(meta={'trace': {'where': {'commodity_name': 'Copper'}}}) }}
-- World copper price by month in the newest vintage, in US$ per tonne, US cents per pound and soles per tonne.
with prices as (
    select * from {{ ref('stg_worldbank_pinksheet__prices') }}
    where commodity_name = 'Copper' and unit_of_measure = '$/mt' and is_current and price is not null
)

select
    prices.month,
    'worldbank_pinksheet' as source,
    cast(prices.price as decimal(18, 6)) as copper_usd_per_t,
    cast(prices.price * 100 / {{ lb_per_t() }} as decimal(18, 6)) as copper_usd_cents_per_lb,
    cast(prices.price * fx.fx_pen_per_usd as decimal(18, 6)) as copper_pen_per_t,
    cast(fx.fx_pen_per_usd as decimal(18, 6)) as fx_pen_per_usd,
    fx.fx_series_code,
    fx.source_as_of as fx_source_as_of,
    prices.source_as_of,
    prices.is_synthetic or coalesce(fx.is_synthetic, false) as is_synthetic,
    prices.landing_sha256,
    prices.row_number
from prices
left join {{ ref('int_fx__monthly') }} as fx
    on prices.month = fx.month and prices.is_synthetic = fx.is_synthetic
order by prices.month
