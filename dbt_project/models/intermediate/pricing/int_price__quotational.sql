-- The price of every quotational period for every month of delivery: the one place in which a period's code and a month
-- of delivery give a price. Null while one of its months has none. Periods and their months: ref_quotational_period.
with periods as (
    select
        *,
        count(*) over (partition by quotational_period_code) as month_count
    from {{ ref('ref_quotational_period') }}
),

deliveries as (
    select
        periods.quotational_period_code,
        periods.month_offset,
        periods.month_count,
        {{ months_after('prices.month', '-periods.month_offset') }} as delivery_month,
        prices.copper_usd_per_t,
        prices.silver_usd_per_oz,
        prices.gold_usd_per_oz,
        prices.is_synthetic
    from {{ ref('int_price__monthly') }} as prices
    cross join periods
)

select
    quotational_period_code,
    delivery_month,
    {{ months_after('delivery_month', 'min(month_offset)') }} as quotation_month,
    {% for measure in ['copper_usd_per_t', 'silver_usd_per_oz', 'gold_usd_per_oz'] %}
        case
            when count({{ measure }}) = month_count then cast(sum({{ measure }}) / month_count as decimal(18, 6))
        end as {{ measure }},
    {% endfor %}
    is_synthetic
from deliveries
group by quotational_period_code, delivery_month, month_count, is_synthetic
having count(*) = month_count
order by is_synthetic, quotational_period_code, delivery_month
