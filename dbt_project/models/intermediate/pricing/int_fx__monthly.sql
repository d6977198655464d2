-- Soles per US dollar by month: the bank's own monthly average; where it is missing, the mean of the daily
-- midpoint, provided that enough days were quoted (ref_price_rule: fewer would not stand for the month).
with observations as (
    select * from {{ ref('stg_bcrp_series__observations') }}
    where is_current and value is not null
),

official as (
    select
        period_date as month,
        value as fx_pen_per_usd,
        'PN01207PM' as fx_series_code,
        source_as_of,
        is_synthetic
    from observations
    where series_code = 'PN01207PM'
),

daily as (
    select
        cast(date_trunc('month', period_date) as date) as month,
        period_date,
        is_synthetic,
        avg(value) as midpoint,
        max(source_as_of) as source_as_of
    from observations
    where series_code in ('PD04639PD', 'PD04640PD')
    group by period_date, is_synthetic
    having count(distinct series_code) = 2
),

from_daily as (
    select
        month,
        cast(avg(midpoint) as decimal(24, 12)) as fx_pen_per_usd,
        'PD04639PD-PD04640PD' as fx_series_code,
        max(source_as_of) as source_as_of,
        is_synthetic
    from daily
    group by month, is_synthetic
    having count(*) >= {{ rule_value('ref_price_rule', 'MONTH_QUOTED_DAYS_LEAST') }}
)

select * from official
union all
select from_daily.* from from_daily
left join official on from_daily.month = official.month and from_daily.is_synthetic = official.is_synthetic
where official.month is null
