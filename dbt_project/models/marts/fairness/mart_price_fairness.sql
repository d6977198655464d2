-- What sales were paid against what they can be compared to, by month, department of origin, place of the sale, product
-- form and state of the registration used, on the day of the sale. One row for each denominator; ratios are of sums
-- over the sales that have the denominator, quantiles are of single sales, and empty where fewer than the least number
-- of them (ref_price_measure_rule) have it.
{% set denominators = {
    'LME_CONTAINED': 'lme_usd_per_dmt',
    'NETBACK': 'netback_usd_per_dmt',
    'TARIFF': 'tariff_usd_per_dmt',
    'TARIFF_SUPPORTED': "cast(" ~ wide('supported_tariff_usd') ~ " / dmt as decimal(18, 8))",
} %}
with sales as (
    select
        priced.*,
        bought.supported_tariff_usd
    from {{ ref('int_sale__priced') }} as priced
    left join {{ ref('mart_buyer_counterfactual') }} as bought
        on priced.transfer_key = bought.transfer_key and priced.is_synthetic = bought.is_synthetic
    where priced.product_form_code is not null
),

compared as (
    {% for denominator, column in denominators.items() %}
        select
            month,
            department_code,
            kind_code,
            product_form_code,
            registry_state,
            '{{ denominator }}' as denominator_code,
            is_synthetic,
            coalesce(operator_key, seller_key) as operator_key,
            is_provisional,
            dmt,
            copper_t,
            paid_usd,
            freight_deducted_usd,
            paid_usd_per_dmt,
            case when {{ column }} > 0 then {{ column }} end as denominator_usd_per_dmt
        from sales
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    month,
    department_code,
    kind_code,
    product_form_code,
    registry_state,
    denominator_code,
    count(*) as sale_count,
    count(*) filter (where is_provisional) as provisional_sale_count,
    count(distinct operator_key) as operator_count,
    cast(sum(dmt) as decimal(18, 6)) as dmt,
    cast(sum(copper_t) as decimal(18, 6)) as copper_t,
    cast(sum(paid_usd) as decimal(18, 2)) as paid_usd,
    cast(sum(freight_deducted_usd) as decimal(18, 2)) as freight_deducted_usd,
    count(denominator_usd_per_dmt) as compared_sale_count,
    cast(coalesce(sum(paid_usd) filter (where denominator_usd_per_dmt is not null), 0) as decimal(18, 2))
        as compared_paid_usd,
    cast(coalesce(sum(cast({{ wide('denominator_usd_per_dmt') }} * dmt as decimal(24, 8))), 0) as decimal(18, 2))
        as denominator_usd,
    cast(
        sum(paid_usd) filter (where denominator_usd_per_dmt is not null)
        / sum(cast({{ wide('denominator_usd_per_dmt') }} * dmt as decimal(24, 8))) as decimal(12, 6)
    ) as paid_to_denominator_frac,
    {% for quantile in [10, 50, 90] -%}
        cast(
            case
                when count(denominator_usd_per_dmt) >= {{ price_measure_rule('QUANTILES_LEAST') }}
                    then quantile_cont(paid_usd_per_dmt / denominator_usd_per_dmt, {{ quantile / 100 }})
            end as decimal(12, 6)
        ) as p{{ quantile }}_frac,
    {% endfor -%}
    is_synthetic
from compared
group by month, department_code, kind_code, product_form_code, registry_state, denominator_code, is_synthetic
order by
    is_synthetic, month, department_code, kind_code, product_form_code, registry_state, denominator_code
