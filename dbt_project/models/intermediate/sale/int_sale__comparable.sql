-- Sales of ore that measures of prices are made of: what was paid as a share of the LME value of the copper contained,
-- so that neither grade nor the day's quotation counts as a difference of price, with the terms of the hedonic
-- comparison.
select
    sales.transfer_key,
    sales.kind_code,
    sales.product_form_code,
    cast(extract(year from sales.sale_date) as integer) as year,
    sales.month,
    sales.seller_key,
    sales.seller_role_code,
    sales.buyer_key,
    sales.operator_sex_code,
    sales.department_code,
    sales.district_code,
    sales.copper_t,
    sales.paid_usd,
    cast({{ wide('sales.lme_usd_per_dmt') }} * sales.dmt as decimal(24, 8)) as lme_usd,
    sales.paid_share_of_lme_contained_frac as paid_frac,
    ln(cast(sales.paid_share_of_lme_contained_frac as double)) as log_paid,
    cast(sales.cu_pct as double) as grade,
    ln(cast(sales.dmt as double)) as log_mass,
    case when standing.is_good_standing then 1 else 0 end as is_good_standing,
    case when sales.operator_sex_code = 'F' then 1 else 0 end as is_womans,
    sales.is_synthetic
from {{ ref('int_sale__priced') }} as sales
left join {{ ref('ref_registry_standing') }} as standing on sales.registry_state = standing.registry_state
where
    sales.kind_code in ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT')
    and sales.product_form_code is not null
    and sales.paid_share_of_lme_contained_frac > 0
