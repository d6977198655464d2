-- Mean prices of each month, as quotational periods use them. Copper: the World Bank's mean, else the mean of the
-- quoted days of a month that has enough of them (ref_price_rule) and is over: its last day is not after the last
-- quotation. Silver and gold: the sheet's. Simulated months keep apart as in int_price__daily.
with days as (
    select
        *,
        cast(date_trunc('month', price_date) as date) as month,
        max(price_date) filter (where copper_basis_code = 'DAILY') over (partition by is_synthetic) as last_quoted_date
    from {{ ref('int_price__daily') }}
),

sheet as (
    select
        month,
        is_synthetic,
        max(price) as copper_usd_per_t
    from {{ ref('stg_worldbank_pinksheet__prices') }}
    where commodity_name = 'Copper' and unit_of_measure = '$/mt' and is_current and price is not null
    group by month, is_synthetic
),

months as (
    select
        month,
        is_synthetic,
        count(*) filter (where copper_basis_code = 'DAILY') as quoted_days,
        sum(copper_usd_per_t) filter (where copper_basis_code = 'DAILY') as quoted_sum,
        bool_and(last_day(month) <= last_quoted_date) as is_over,
        max(silver_usd_per_oz) as silver_usd_per_oz,
        max(gold_usd_per_oz) as gold_usd_per_oz
    from days
    group by month, is_synthetic
),

priced as (
    select
        months.*,
        sheet.copper_usd_per_t as sheet_usd_per_t,
        case
            when months.is_over and months.quoted_days >= {{ rule_value('ref_price_rule', 'MONTH_QUOTED_DAYS_LEAST') }}
                then cast(months.quoted_sum / months.quoted_days as decimal(18, 6))
        end as mean_usd_per_t
    from months
    left join sheet on months.month = sheet.month and months.is_synthetic = sheet.is_synthetic
)

select
    month,
    cast(coalesce(sheet_usd_per_t, mean_usd_per_t) as decimal(18, 6)) as copper_usd_per_t,
    case
        when sheet_usd_per_t is not null then 'worldbank_pinksheet'
        when mean_usd_per_t is not null then 'PD04701XD'
    end as copper_series_code,
    quoted_days,
    silver_usd_per_oz,
    gold_usd_per_oz,
    is_synthetic
from priced
where coalesce(sheet_usd_per_t, mean_usd_per_t, silver_usd_per_oz, gold_usd_per_oz) is not null
order by is_synthetic, month
