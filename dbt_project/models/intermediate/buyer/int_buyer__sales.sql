-- Priced sales as a public buyer would have bought them: its value of each at the tariff, and how much of it lies
-- within the monthly cap of its seller, in the order of sales. Of what lies within, the support of the price, and what
-- of a price above the support price may be withheld for support given before.
with capped as (
    select
        *,
        sum(dmt) over (
            partition by seller_key, cap_code, month, is_synthetic
            order by sale_date asc, transfer_key asc
            rows between unbounded preceding and current row
        ) - dmt as sold_before_dmt
    from {{ ref('int_sale__priced') }}
    where tariff_usd_per_dmt is not null
),

parts as (
    select
        *,
        {{ real('tariff_cu_lb') }} as cu_lb,
        greatest(least(dmt, monthly_cap_dmt - sold_before_dmt), 0) as within_cap_dmt
    from capped
)

select
    transfer_key,
    lot_key,
    kind_code,
    product_form_code,
    sale_date,
    month,
    department_code,
    registry_state,
    seller_key,
    operator_key,
    seller_role_code = 'OPERATOR' as is_producers_sale,
    tariff_code,
    dmt,
    cast(within_cap_dmt as decimal(18, 6)) as within_cap_dmt,
    cu_pct,
    tariff_usd_cents_per_lb,
    support_usd_cents_per_lb,
    paid_usd,
    freight_deducted_usd,
    {{ cents(real('tariff_usd_per_dmt') ~ ' * dmt') }} as tariff_usd,
    {{ cents(real('netback_usd_per_dmt') ~ ' * dmt') }} as netback_usd,
    cast(cu_lb * within_cap_dmt / dmt as decimal(18, 4)) as within_cap_cu_lb,
    {{ cents('cu_lb * within_cap_dmt / dmt * support_usd_cents_per_lb * 0.01') }} as support_usd,
    {{ cents('cu_lb * within_cap_dmt / dmt * withholdable_usd_cents_per_lb * 0.01') }} as withholdable_usd,
    is_synthetic
from parts
