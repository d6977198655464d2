{{ config(meta={'trace': {'parent': 'int_transfer__evidence', 'on': ['transfer_key', 'is_synthetic']}}) }}
-- Every change of owner and paid service of the chain: one row per kind, lot, payee and payer. Money without IGV. What
-- is observed, and with a value imputed what the papers lead us to expect (int_transfer__imputed), bounds beside it. A
-- provisional sheet's value stands and has bounds; of a first voucher alone, a part, the whole is imputed.
select
    observed.transfer_key,
    observed.kind_code,
    observed.lot_key,
    observed.payee_key,
    observed.payee_role_code,
    observed.payer_key,
    observed.payer_role_code,
    observed.invoicing_party_key,
    observed.operator_key,
    observed.reinfo_key,
    observed.transfer_date,
    observed.first_date,
    observed.product_form_code,
    observed.mass_wmt,
    observed.mass_dmt,
    observed.cu_pct,
    observed.copper_g,
    case when imputed.value_basis_code <> 'observed' then imputed.value_usd else observed.value_usd end as value_usd,
    coalesce(imputed.value_low_usd, observed.value_usd) as value_low_usd,
    coalesce(imputed.value_high_usd, observed.value_usd) as value_high_usd,
    case
        when imputed.value_basis_code <> 'observed'
            then cast(imputed.value_usd * observed.pen_per_usd as decimal(18, 2))
        else observed.value_pen
    end as value_pen,
    observed.pen_per_usd,
    observed.fx_series_code,
    coalesce(imputed.value_basis_code, 'observed') as value_basis_code,
    observed.value_evidence_code,
    observed.is_provisional,
    observed.voucher_value_usd,
    observed.sheet_value_usd,
    observed.difference_usd,
    observed.voucher_count,
    observed.invoice_key,
    observed.sheet_code,
    observed.sheet_id,
    observed.sender_waybill_key,
    observed.carrier_waybill_key,
    observed.ticket_id,
    observed.deposit_id,
    observed.match_method_code,
    observed.match_score,
    observed.is_synthetic
from {{ ref('int_transfer__observed') }} as observed
left join {{ ref('int_transfer__imputed') }} as imputed
    on observed.transfer_key = imputed.transfer_key and observed.is_synthetic = imputed.is_synthetic

union all

select
    unobserved.transfer_key,
    unobserved.kind_code,
    unobserved.lot_key,
    unobserved.payee_key,
    unobserved.payee_role_code,
    unobserved.payer_key,
    unobserved.payer_role_code,
    unobserved.invoicing_party_key,
    unobserved.operator_key,
    unobserved.reinfo_key,
    unobserved.expected_date as transfer_date,
    unobserved.expected_date as first_date,
    unobserved.product_form_code,
    unobserved.mass_wmt,
    unobserved.mass_dmt,
    unobserved.cu_pct,
    cast(unobserved.copper_g as bigint) as copper_g,
    imputed.value_usd,
    imputed.value_low_usd,
    imputed.value_high_usd,
    cast(imputed.value_usd * rates.pen_per_usd as decimal(18, 2)) as value_pen,
    rates.pen_per_usd,
    rates.fx_series_code,
    imputed.value_basis_code,
    null as value_evidence_code,
    false as is_provisional,
    null as voucher_value_usd,
    null as sheet_value_usd,
    null as difference_usd,
    0 as voucher_count,
    null as invoice_key,
    null as sheet_code,
    null as sheet_id,
    null as sender_waybill_key,
    null as carrier_waybill_key,
    null as ticket_id,
    null as deposit_id,
    null as match_method_code,
    null as match_score,
    unobserved.is_synthetic
from {{ ref('int_transfer__unobserved') }} as unobserved
inner join {{ ref('int_transfer__imputed') }} as imputed
    on unobserved.transfer_key = imputed.transfer_key and unobserved.is_synthetic = imputed.is_synthetic
left join {{ ref('int_price__daily') }} as rates
    on unobserved.expected_date = rates.price_date and unobserved.is_synthetic = rates.is_synthetic
