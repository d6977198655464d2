-- Every priced sale of a known form counts once under every denominator.
with counted as (
    select
        is_synthetic,
        denominator_code,
        sum(sale_count) as sale_count,
        sum(paid_usd) as paid_usd
    from {{ ref('mart_price_fairness') }}
    group by is_synthetic, denominator_code
),

sales as (
    select
        is_synthetic,
        count(*) as sale_count,
        sum(paid_usd) as paid_usd
    from {{ ref('int_sale__priced') }}
    where product_form_code is not null
    group by is_synthetic
)

select
    counted.denominator_code,
    counted.is_synthetic
from counted
inner join sales on counted.is_synthetic = sales.is_synthetic
where counted.sale_count <> sales.sale_count or counted.paid_usd <> sales.paid_usd
