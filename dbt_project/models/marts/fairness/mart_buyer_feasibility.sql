-- Whether a public buyer would carry itself, by year: what it would have bought within its caps, what it keeps of a
-- tonne before support (what a plant could pay and lose nothing, less the tariff), the volume at which that pays its
-- fixed costs, and how far its fund moves from month to month. Of gains a sale's part within the cap counts; support
-- and what is withheld are of that part already.
with bought as (
    select
        tariff_code,
        cast(extract(year from month) as integer) as year,
        count(*) as sale_count,
        count(distinct seller_key) as seller_count,
        sum(within_cap_dmt) as bought_dmt,
        sum(within_cap_dmt) filter (where netback_usd is not null) as compared_dmt,
        sum({{ cents(real('netback_usd - tariff_usd') ~ ' * within_cap_dmt / dmt') }}) as kept_usd,
        sum({{ cents(real('gain_usd') ~ ' * within_cap_dmt / dmt') }}) as producers_gain_usd,
        sum({{ cents(real('gain_usd') ~ ' * within_cap_dmt / dmt') }} + support_usd - withheld_usd)
            as producers_supported_gain_usd,
        is_synthetic
    from {{ ref('mart_buyer_counterfactual') }}
    where is_producers_sale
    group by tariff_code, extract(year from month), is_synthetic
),

moved as (
    select
        tariff_code,
        cast(extract(year from month) as integer) as year,
        count(*) as month_count,
        sum(support_usd) as support_usd,
        sum(withheld_usd) as withheld_usd,
        min(closing_usd) as lowest_fund_usd,
        max_by(closing_usd, month) as closing_fund_usd,
        stddev_samp(closing_usd - opening_usd) as fund_change_sd_usd,
        is_synthetic
    from {{ ref('mart_buyer_fund') }}
    group by tariff_code, extract(year from month), is_synthetic
)

select
    moved.tariff_code,
    moved.year,
    moved.month_count,
    coalesce(bought.sale_count, 0) as sale_count,
    coalesce(bought.seller_count, 0) as seller_count,
    cast(coalesce(bought.bought_dmt, 0) as decimal(18, 6)) as bought_dmt,
    cast(bought.kept_usd as decimal(18, 2)) as kept_usd,
    {{ per_unit('bought.kept_usd', 'bought.compared_dmt') }} as kept_usd_per_dmt,
    cast(funds.fixed_cost_usd_per_year * moved.month_count / 12 as decimal(18, 2)) as fixed_cost_usd,
    case
        when bought.kept_usd > 0
            then cast(
                cast(funds.fixed_cost_usd_per_year * moved.month_count / 12 as double)
                * bought.compared_dmt / bought.kept_usd
                as decimal(18, 2)
            )
    end as break_even_dmt,
    cast(coalesce(bought.producers_gain_usd, 0) as decimal(18, 2)) as producers_gain_usd,
    cast(coalesce(bought.producers_supported_gain_usd, 0) as decimal(18, 2)) as producers_supported_gain_usd,
    cast(moved.support_usd as decimal(18, 2)) as support_usd,
    cast(moved.withheld_usd as decimal(18, 2)) as withheld_usd,
    cast(moved.closing_fund_usd as decimal(18, 2)) as closing_fund_usd,
    cast(moved.lowest_fund_usd as decimal(18, 2)) as lowest_fund_usd,
    cast(moved.fund_change_sd_usd as decimal(18, 2)) as fund_change_sd_usd,
    moved.is_synthetic
from moved
inner join {{ ref('ref_buyer_fund') }} as funds on moved.tariff_code = funds.tariff_code
left join bought
    on
        moved.tariff_code = bought.tariff_code
        and moved.year = bought.year
        and moved.is_synthetic = bought.is_synthetic
order by moved.is_synthetic, moved.tariff_code, moved.year
