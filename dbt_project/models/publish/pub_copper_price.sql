{{ config(meta={'trace': {'parent': 'fct_copper_price_month', 'on': ['month', 'source', 'is_synthetic']}}) }}
-- Published: monthly world copper price; soles only where the month's exchange rate exists.
select
    month,
    copper_usd_per_t,
    copper_usd_cents_per_lb,
    copper_pen_per_t,
    fx_pen_per_usd,
    source,
    source_as_of,
    is_synthetic
from {{ ref('fct_copper_price_month') }}
order by month, is_synthetic
