-- The fund of a public buyer that supports prices, month by month, had it bought all producers' sales within its caps.
-- It adds to prices below the support price; while producers owe what was added (with the credit's interest), it
-- withholds a part of what prices are above. Simulated and measured sales have a fund each.
with recursive bought as (
    select
        tariff_code,
        month,
        sum(within_cap_dmt) as bought_dmt,
        sum(within_cap_cu_lb) as bought_cu_lb,
        sum(support_usd) as support_usd,
        sum(withholdable_usd) as withholdable_usd,
        is_synthetic
    from {{ ref('int_buyer__sales') }}
    where is_producers_sale
    group by tariff_code, month, is_synthetic
),

spans as (
    select
        tariff_code,
        is_synthetic,
        min(month) as first_month,
        max(month) as last_month
    from bought
    group by tariff_code, is_synthetic
),

days as (
    select
        tariff_code,
        is_synthetic,
        {{ days_from('first_month', 'last_month') }} as month
    from spans
),

months as (
    select
        days.tariff_code,
        days.month,
        row_number() over (partition by days.tariff_code, days.is_synthetic order by days.month) as month_number,
        coalesce(bought.bought_dmt, 0) as bought_dmt,
        coalesce(bought.bought_cu_lb, 0) as bought_cu_lb,
        cast(coalesce(bought.support_usd, 0) as decimal(18, 2)) as support_usd,
        cast(coalesce(bought.withholdable_usd, 0) as decimal(18, 2)) as withholdable_usd,
        cast(funds.opening_fund_usd as decimal(18, 2)) as opening_fund_usd,
        cast(funds.fees_usd_per_month as decimal(18, 2)) as fees_usd,
        funds.fund_interest_pct_per_year,
        funds.credit_interest_pct_per_year,
        days.is_synthetic
    from days
    inner join {{ ref('ref_buyer_fund') }} as funds on days.tariff_code = funds.tariff_code
    left join bought
        on
            days.tariff_code = bought.tariff_code
            and days.month = bought.month
            and days.is_synthetic = bought.is_synthetic
    where extract(day from days.month) = 1
),

-- Month 0 is what the fund begins with.
balances as (
    select
        tariff_code,
        is_synthetic,
        cast(0 as bigint) as month_number,
        cast(null as date) as month,
        cast(0 as decimal(18, 2)) as opening_usd,
        cast(0 as decimal(18, 2)) as interest_usd,
        cast(0 as decimal(18, 2)) as withheld_usd,
        opening_fund_usd as closing_usd,
        cast(0 as decimal(18, 2)) as owed_usd
    from months
    where month_number = 1

    union all

    select
        months.tariff_code,
        months.is_synthetic,
        months.month_number,
        cast(months.month as date) as month,
        balances.closing_usd as opening_usd,
        {{ month_interest_usd('balances.closing_usd', 'months.fund_interest_pct_per_year') }} as interest_usd,
        cast({{ withheld_usd('balances.owed_usd', 'months') }} as decimal(18, 2)) as withheld_usd,
        {{ fund_closing_usd(
            'balances.closing_usd',
            month_interest_usd('balances.closing_usd', 'months.fund_interest_pct_per_year'),
            'months.fees_usd',
            'months.support_usd - ' ~ withheld_usd('balances.owed_usd', 'months')
        ) }} as closing_usd,
        cast(
            balances.owed_usd
            + {{ month_interest_usd('balances.owed_usd', 'months.credit_interest_pct_per_year') }}
            + months.support_usd
            - {{ withheld_usd('balances.owed_usd', 'months') }}
            as decimal(18, 2)
        ) as owed_usd
    from balances
    inner join months
        on
            balances.tariff_code = months.tariff_code
            and balances.is_synthetic = months.is_synthetic
            and balances.month_number + 1 = months.month_number
)

select
    months.tariff_code,
    balances.month,
    cast(months.bought_dmt as decimal(18, 6)) as bought_dmt,
    cast(months.bought_cu_lb as decimal(18, 4)) as bought_cu_lb,
    balances.opening_usd,
    balances.interest_usd,
    months.fees_usd,
    months.support_usd,
    months.withholdable_usd,
    balances.withheld_usd,
    balances.closing_usd,
    balances.owed_usd,
    months.is_synthetic
from balances
inner join months
    on
        balances.tariff_code = months.tariff_code
        and balances.month_number = months.month_number
        and balances.is_synthetic = months.is_synthetic
order by months.is_synthetic, months.tariff_code, balances.month
