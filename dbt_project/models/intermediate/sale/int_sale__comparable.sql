-- Sales of ore that measures of prices are made of: what was paid as a share of the LME value of the copper contained,
-- so that neither grade nor the day's quotation counts as a difference of price, with the terms of the hedonic
-- comparison.
select
    transfer_key,
    kind_code,
    product_form_code,
    cast(extract(year from sale_date) as integer) as year,
    month,
    coalesce(operator_key, seller_key) as operator_key,
    buyer_key,
    operator_sex_code,
    department_code,
    district_code,
    copper_t,
    paid_usd,
    cast({{ wide('lme_usd_per_dmt') }} * dmt as decimal(24, 8)) as lme_usd,
    paid_share_of_lme_contained_frac as paid_frac,
    ln(cast(paid_share_of_lme_contained_frac as double)) as log_paid,
    cast(cu_pct as double) as grade,
    ln(cast(dmt as double)) as log_mass,
    case when registry_state = 'VIGENTE' then 1 else 0 end as is_in_force,
    case when operator_sex_code = 'F' then 1 else 0 end as is_womans,
    is_synthetic
from {{ ref('int_sale__priced') }}
where
    kind_code in ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT')
    and product_form_code is not null
    and paid_share_of_lme_contained_frac > 0
