-- Of no seller more than the month's cap is taken, never more than he sold, and all of it where he sold less than the
-- cap.
with months as (
    select
        sales.seller_key,
        sales.month,
        sales.cap_code,
        sales.is_synthetic,
        min(sales.monthly_cap_dmt) as cap_dmt,
        sum(sales.dmt) as sold_dmt,
        sum(bought.within_cap_dmt) as bought_dmt
    from {{ ref('int_sale__priced') }} as sales
    inner join {{ ref('mart_buyer_counterfactual') }} as bought
        on sales.transfer_key = bought.transfer_key and sales.is_synthetic = bought.is_synthetic
    group by sales.seller_key, sales.month, sales.cap_code, sales.is_synthetic
)

select *
from months
where bought_dmt <> least(sold_dmt, cap_dmt)
