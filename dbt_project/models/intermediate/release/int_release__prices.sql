-- What each seller's sales add to the published prices, by month, stage and department of origin: what was paid,
-- beside what the sales can be compared to. Sales of which all of that is known. The holding is the seller, whose price
-- it is; the producer (the seller where none is told) is protected beside him, since what is sold is his ore. Parties'
-- keys: nothing of this is published.
select
    department_code as ubigeo_code,
    month,
    kind_code,
    coalesce(seller_key, '--') as holding_key,
    coalesce(operator_key, seller_key, '--') as producer_key,
    buyer_key,
    cast(sum(paid_usd) as decimal(18, 2)) as paid_usd,
    cast(sum({{ cents(real('lme_usd_per_dmt') ~ ' * dmt') }}) as decimal(18, 2)) as lme_usd,
    cast(sum({{ cents(real('netback_usd_per_dmt') ~ ' * dmt') }}) as decimal(18, 2)) as netback_usd,
    cast(sum({{ cents(real('tariff_usd_per_dmt') ~ ' * dmt') }}) as decimal(18, 2)) as tariff_usd,
    is_synthetic
from {{ ref('int_sale__priced') }}
where lme_usd_per_dmt > 0 and netback_usd_per_dmt > 0 and tariff_usd_per_dmt > 0
group by
    department_code, month, kind_code, coalesce(seller_key, '--'), coalesce(operator_key, seller_key, '--'), buyer_key,
    is_synthetic
