-- Every change of owner and paid service that partners' papers imply: one row per kind and lot (and buyer between
-- collectors), whether or not a voucher says so too. sheet_value_usd is what a paper itself says was paid.
select
    kind_code,
    lot_key,
    payee_key,
    payer_key,
    invoicing_party_key,
    operator_key,
    reinfo_key,
    expected_date,
    product_form_code,
    cast(mass_wmt as decimal(18, 6)) as mass_wmt,
    cast(mass_dmt as decimal(18, 6)) as mass_dmt,
    cu_pct,
    copper_g,
    match_date,
    match_value_usd,
    cast(match_mass_t as decimal(18, 6)) as match_mass_t,
    sheet_code,
    cast(sheet_value_usd as decimal(18, 2)) as sheet_value_usd,
    sheet_id,
    ticket_id,
    haul_key,
    why_code,
    is_synthetic
from {{ ref('int_transfer__implied_goods') }}

union all

select
    kind_code,
    lot_key,
    payee_key,
    payer_key,
    invoicing_party_key,
    operator_key,
    reinfo_key,
    expected_date,
    product_form_code,
    null as mass_wmt,
    null as mass_dmt,
    null as cu_pct,
    null as copper_g,
    match_date,
    match_value_usd,
    null as match_mass_t,
    sheet_code,
    sheet_value_usd,
    sheet_id,
    ticket_id,
    haul_key,
    why_code,
    is_synthetic
from {{ ref('int_transfer__implied_services') }}
