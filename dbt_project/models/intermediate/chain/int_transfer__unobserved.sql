-- Transfers that the papers lead us to expect and do not show, with the key and the roles that they would have.
with valued as (
    select * from {{ ref('int_transfer__expected') }}
    where not is_observed
),

roles as (
    select
        party_key,
        is_synthetic,
        max(case when role_code = 'PLANT' then 1 else 0 end) = 1 as is_plant,
        max(case when role_code = 'COLLECTOR' then 1 else 0 end) = 1 as is_collector
    from {{ ref('int_party__roles') }}
    group by party_key, is_synthetic
)

select
    {{ transfer_key('valued') }} as transfer_key,
    valued.kind_code,
    valued.lot_key,
    valued.payee_key,
    valued.payer_key,
    valued.invoicing_party_key,
    valued.operator_key,
    valued.reinfo_key,
    valued.expected_date,
    valued.product_form_code,
    valued.mass_wmt,
    valued.mass_dmt,
    valued.cu_pct,
    valued.copper_g,
    {{ payee_role('valued', 'payees') }} as payee_role_code,
    {{ payer_role('valued', 'payers') }} as payer_role_code,
    valued.is_synthetic
from valued
left join roles as payees on valued.payee_key = payees.party_key and valued.is_synthetic = payees.is_synthetic
left join roles as payers on valued.payer_key = payers.party_key and valued.is_synthetic = payers.is_synthetic
