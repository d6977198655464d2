{{ config(post_hook="{{ price_on_macro() }}") }}
-- Copper, silver, gold and the dollar for every calendar day. A day has the value quoted on it (DAILY), else the last
-- one quoted before, for as many days as ref_price_rule says (CARRIED), else its month's mean (MONTHLY), else null.
-- Daily: the central bank's copper of London (US cents per pound) and the middle of the buying and selling rates of
-- the dollar. Monthly: the World Bank's sheet and the bank's own mean rate. A simulated day has simulated copper and
-- dollars alone; its silver and gold, which are not simulated by the day, are the measured sheet's; it stays simulated.
{% set carry_days = rule_value('ref_price_rule', 'CARRY_DAYS_MOST') %}
with observations as (
    select * from {{ ref('stg_bcrp_series__observations') }}
    where is_current and value is not null
),

quotations as (
    select
        'COPPER' as measure_code,
        period_date,
        is_synthetic,
        cast({{ fixed(real('value') ~ ' / 100 * ' ~ lb_per_t()) }} as decimal(18, 6)) as quoted,
        series_code
    from observations
    where series_code = 'PD04701XD'

    union all

    select
        'DOLLAR' as measure_code,
        period_date,
        is_synthetic,
        cast({{ fixed('sum(value) / 2') }} as decimal(18, 6)) as quoted,
        'PD04639PD-PD04640PD' as series_code
    from observations
    where series_code in ('PD04639PD', 'PD04640PD')
    group by period_date, is_synthetic
    having count(distinct series_code) = 2
),

-- Every quotation on the days on which it stands: until the next one, or as long as it may be carried.
standing as (
    select
        measure_code,
        is_synthetic,
        period_date,
        quoted,
        series_code,
        {{ days_from('period_date', 'last_day') }} as price_date
    from (
        select
            *,
            least(
                period_date + cast({{ carry_days }} as integer),
                coalesce(
                    lead(period_date) over (partition by measure_code, is_synthetic order by period_date) - 1,
                    period_date + cast({{ carry_days }} as integer)
                )
            ) as last_day
        from quotations
    ) as dated
),

sheet as (
    select
        month,
        is_synthetic,
        max(price) filter (where commodity_name = 'Copper' and unit_of_measure = '$/mt') as copper,
        max(price) filter (where commodity_name = 'Silver' and unit_of_measure = '$/troy oz') as silver,
        max(price) filter (where commodity_name = 'Gold' and unit_of_measure = '$/troy oz') as gold
    from {{ ref('stg_worldbank_pinksheet__prices') }}
    where is_current and price is not null
    group by month, is_synthetic
),

-- The measured sheet as simulated days see it.
world as (
    select
        month,
        silver,
        gold,
        true as is_synthetic
    from sheet
    where not is_synthetic
),

rates as (
    select * from {{ ref('int_fx__monthly') }}
),

known as (
    select price_date, is_synthetic from standing
    union all
    select month as price_date, is_synthetic from sheet
    union all
    select last_day(month) as price_date, is_synthetic from sheet
    union all
    select month as price_date, is_synthetic from rates
    union all
    select last_day(month) as price_date, is_synthetic from rates
),

calendar as (
    select
        is_synthetic,
        {{ days_from('first_day', 'last_day') }} as price_date
    from (
        select
            is_synthetic,
            min(price_date) as first_day,
            max(price_date) as last_day
        from known
        group by is_synthetic
    ) as spans
),

days as (
    select
        is_synthetic,
        price_date,
        cast(date_trunc('month', price_date) as date) as month
    from calendar
)

select
    days.price_date,
    cast(coalesce(copper.quoted, sheet.copper) as decimal(18, 6)) as copper_usd_per_t,
    coalesce(copper.series_code, case when sheet.copper is not null then 'worldbank_pinksheet' end)
        as copper_series_code,
    {{ price_basis('copper', 'sheet.copper') }} as copper_basis_code,
    coalesce(copper.period_date, case when sheet.copper is not null then days.month end) as copper_period_date,
    cast(coalesce(sheet.silver, world.silver) as decimal(18, 6)) as silver_usd_per_oz,
    cast(coalesce(sheet.gold, world.gold) as decimal(18, 6)) as gold_usd_per_oz,
    case when coalesce(sheet.silver, world.silver, sheet.gold, world.gold) is not null then 'worldbank_pinksheet' end
        as precious_series_code,
    case when coalesce(sheet.silver, world.silver, sheet.gold, world.gold) is not null then 'MONTHLY' end
        as precious_basis_code,
    case when coalesce(sheet.silver, world.silver, sheet.gold, world.gold) is not null then days.month end
        as precious_period_date,
    cast(coalesce(dollar.quoted, rates.fx_pen_per_usd) as decimal(18, 6)) as pen_per_usd,
    coalesce(dollar.series_code, rates.fx_series_code) as fx_series_code,
    {{ price_basis('dollar', 'rates.fx_pen_per_usd') }} as fx_basis_code,
    coalesce(dollar.period_date, case when rates.fx_pen_per_usd is not null then days.month end) as fx_period_date,
    days.is_synthetic
from days
left join standing as copper
    on
        days.price_date = copper.price_date
        and days.is_synthetic = copper.is_synthetic
        and copper.measure_code = 'COPPER'
left join standing as dollar
    on
        days.price_date = dollar.price_date
        and days.is_synthetic = dollar.is_synthetic
        and dollar.measure_code = 'DOLLAR'
left join sheet
    on days.month = sheet.month and days.is_synthetic = sheet.is_synthetic
left join world
    on days.month = world.month and days.is_synthetic = world.is_synthetic
left join rates
    on days.month = rates.month and days.is_synthetic = rates.is_synthetic
order by days.is_synthetic, days.price_date
