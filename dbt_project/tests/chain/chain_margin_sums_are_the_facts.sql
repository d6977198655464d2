-- The mart's sums are the fact's, link by link, and its cells hold every lot once.
with mart as (
    select
        link_code,
        sum(lot_count) as lot_count,
        sum(revenue_usd) as revenue_usd,
        sum(purchases_usd) as purchases_usd,
        sum(gross_margin_usd) as gross_margin_usd,
        sum(gross_margin_low_usd) as low_usd,
        sum(gross_margin_high_usd) as high_usd,
        is_synthetic
    from {{ ref('mart_value_chain_margin') }}
    group by link_code, is_synthetic
),

fact as (
    select
        link_code,
        count(*) as lot_count,
        sum(revenue_usd) as revenue_usd,
        sum(purchases_usd) as purchases_usd,
        sum(gross_margin_usd) as gross_margin_usd,
        sum(gross_margin_low_usd) as low_usd,
        sum(gross_margin_high_usd) as high_usd,
        is_synthetic
    from {{ ref('fct_lot_link_margin') }}
    group by link_code, is_synthetic
),

cells as (
    select
        month,
        department_code,
        product_form_code,
        registry_state,
        sum(complete_gross_margin_usd) as complete_gross_margin_usd,
        max(fob_usd) as fob_usd,
        is_synthetic
    from {{ ref('mart_value_chain_margin') }}
    group by month, department_code, product_form_code, registry_state, is_synthetic
)

select
    fact.link_code as part,
    fact.gross_margin_usd,
    mart.gross_margin_usd as other_usd
from fact
full join mart on fact.link_code = mart.link_code and fact.is_synthetic = mart.is_synthetic
where
    coalesce(fact.lot_count, 0) <> coalesce(mart.lot_count, 0)
    or coalesce(fact.revenue_usd, 0) <> coalesce(mart.revenue_usd, 0)
    or coalesce(fact.purchases_usd, 0) <> coalesce(mart.purchases_usd, 0)
    or coalesce(fact.gross_margin_usd, 0) <> coalesce(mart.gross_margin_usd, 0)
    or coalesce(fact.low_usd, 0) <> coalesce(mart.low_usd, 0)
    or coalesce(fact.high_usd, 0) <> coalesce(mart.high_usd, 0)

union all

select
    'FOB' as part,
    complete_gross_margin_usd as gross_margin_usd,
    fob_usd as other_usd
from cells
where complete_gross_margin_usd <> fob_usd
