-- Origin lots by what their papers lack, and with how much copper: NONE, nothing. A lot counts under everything that it
-- lacks, so the rows of a month overlap but for NONE; lot_count over all of the month's lots stands beside each. What
-- will still come is not missing: lots whose FOB is known and provisional are counted apart.
with lots as (
    select
        lot_key,
        cast(date_trunc('month', reference_date) as date) as month,
        copper_t,
        lme_contained_usd,
        is_complete and not is_fob_final as is_provisional,
        is_synthetic
    from {{ ref('fct_lot_value_bridge') }}
),

lacking as (
    select
        lots.month,
        coalesce(missing.missing_code, 'NONE') as missing_code,
        lots.copper_t,
        lots.lme_contained_usd,
        lots.is_provisional,
        lots.is_synthetic
    from lots
    left join {{ ref('int_lot__missing') }} as missing
        on lots.lot_key = missing.lot_key and lots.is_synthetic = missing.is_synthetic
),

months as (
    select
        month,
        count(*) as month_lot_count,
        is_synthetic
    from lots
    group by month, is_synthetic
)

select
    lacking.month,
    lacking.missing_code,
    count(*) as lot_count,
    count(case when lacking.is_provisional then 1 end) as provisional_lot_count,
    max(months.month_lot_count) as month_lot_count,
    cast(coalesce(sum(lacking.copper_t), 0) as decimal(18, 6)) as copper_t,
    cast(coalesce(sum(lacking.lme_contained_usd), 0) as decimal(18, 2)) as lme_contained_usd,
    lacking.is_synthetic
from lacking
inner join months
    on lacking.month = months.month and lacking.is_synthetic = months.is_synthetic
group by lacking.month, lacking.missing_code, lacking.is_synthetic
