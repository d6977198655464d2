-- What every priced sale of ore or product would have received under a public buyer's terms of that month: the tariff
-- alone, and with support of the price less what of it the fund would have withheld that month for support given
-- before; both of what lies within the seller's cap. Only a producer's own sales make up the buyer's volume: ore that
-- was sold at the pit would reach it once, not twice.
with withheld as (
    select
        sales.*,
        coalesce(
            cast(round(
                {{ real('sales.withholdable_usd') }} * funds.withheld_usd / nullif(funds.withholdable_usd, 0), 2
            ) as decimal(18, 2)), 0
        ) as withheld_usd
    from {{ ref('int_buyer__sales') }} as sales
    left join {{ ref('mart_buyer_fund') }} as funds
        on
            sales.tariff_code = funds.tariff_code
            and sales.month = funds.month
            and sales.is_synthetic = funds.is_synthetic
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
    is_producers_sale,
    tariff_code,
    dmt,
    within_cap_dmt,
    cu_pct,
    tariff_usd_cents_per_lb,
    support_usd_cents_per_lb,
    paid_usd,
    freight_deducted_usd,
    tariff_usd,
    support_usd,
    cast(withheld_usd as decimal(18, 2)) as withheld_usd,
    cast(tariff_usd + support_usd - withheld_usd as decimal(18, 2)) as supported_tariff_usd,
    cast(tariff_usd - paid_usd as decimal(18, 2)) as gain_usd,
    cast(tariff_usd + support_usd - withheld_usd - paid_usd as decimal(18, 2)) as supported_gain_usd,
    netback_usd,
    is_synthetic
from withheld
order by is_synthetic, transfer_key
