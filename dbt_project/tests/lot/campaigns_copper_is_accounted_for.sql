-- Copper in = copper out, of every whole campaign and heap, with what is unaccounted for a lot of its own.
with passed as (
    select
        campaign_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    group by campaign_key, is_synthetic
)

select
    balances.campaign_key,
    balances.fed_g + balances.gained_g as in_g,
    balances.product_g + balances.tailings_g + balances.lost_g as out_g,
    passed.copper_g,
    balances.is_synthetic
from {{ ref('int_lot__balances') }} as balances
left join passed
    on balances.campaign_key = passed.campaign_key and balances.is_synthetic = passed.is_synthetic
where
    balances.is_whole
    and (
        balances.fed_g + balances.gained_g <> balances.product_g + balances.tailings_g + balances.lost_g
        or coalesce(passed.copper_g, 0) <> balances.fed_g + balances.gained_g
    )
