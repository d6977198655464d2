-- Transfers that the papers lead us to expect and do not show, with the key and the roles that they would have. Who
-- pays the road of a load is told by its sheet; where that is missing, it is the plant if it deducts freight on most
-- of its sheets.
with practice as (
    select
        buyer_key,
        sum(case when freight_usd > 0 then 1 else 0 end) * 2 > count(*) as is_deducting,
        is_synthetic
    from {{ ref('int_settlement__sales') }}
    where lot_kind_code = 'LOAD'
    group by buyer_key, is_synthetic
),

deducting as (
    select
        arrivals.lot_key,
        min(arrivals.receiver_key) as plant_key,
        arrivals.is_synthetic
    from {{ ref('int_lot__arrivals') }} as arrivals
    inner join practice
        on
            arrivals.receiver_key = practice.buyer_key
            and arrivals.is_synthetic = practice.is_synthetic
            and practice.is_deducting
    left join {{ ref('int_settlement__sales') }} as sheets
        on
            arrivals.receiver_key = sheets.buyer_key
            and arrivals.lot_key = sheets.lot_key
            and arrivals.is_synthetic = sheets.is_synthetic
    inner join {{ ref('int_transfer__implied') }} as sales
        on
            arrivals.lot_key = sales.lot_key
            and arrivals.is_synthetic = sales.is_synthetic
            and sales.kind_code = 'ORE_AT_PLANT'
            and sales.why_code <> 'POSSIBLE'
    where sheets.lot_key is null
    group by arrivals.lot_key, arrivals.is_synthetic
),

valued as (
    select
        expected.kind_code,
        expected.lot_key,
        expected.payee_key,
        case
            when expected.kind_code = 'HAULAGE' then coalesce(deducting.plant_key, expected.payer_key)
            else expected.payer_key
        end as payer_key,
        expected.invoicing_party_key,
        expected.operator_key,
        expected.reinfo_key,
        expected.expected_date,
        expected.product_form_code,
        expected.mass_wmt,
        expected.mass_dmt,
        expected.cu_pct,
        expected.copper_g,
        expected.is_synthetic
    from {{ ref('int_transfer__expected') }} as expected
    left join deducting
        on expected.lot_key = deducting.lot_key and expected.is_synthetic = deducting.is_synthetic
    where not expected.is_observed
),

{{ role_ctes() }}

select
    {{ transfer_key('valued') }} as transfer_key,
    valued.kind_code,
    valued.lot_key,
    valued.payee_key,
    {{ payee_role('valued', 'payees') }} as payee_role_code,
    valued.payer_key,
    {{ payer_role('valued', 'payers') }} as payer_role_code,
    valued.invoicing_party_key,
    valued.operator_key,
    valued.reinfo_key,
    valued.expected_date,
    valued.product_form_code,
    valued.mass_wmt,
    valued.mass_dmt,
    valued.cu_pct,
    valued.copper_g,
    valued.is_synthetic
from valued
{{ role_joins('valued') }}
