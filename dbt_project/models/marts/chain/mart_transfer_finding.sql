{{ config(meta={'trace': {'parent': 'int_transfer__evidence', 'on': ['transfer_key', 'is_synthetic']}}) }}
-- Observed sales of ore whose papers name different parties as the one who invoices, the operator who mined the ore and
-- the holder of the registration that is used, one row per pair that differs. A finding, not a fault: whoever resells
-- invoices ore that another one mined, and buyers may issue the settlement themselves. The holder is that of the day of
-- the first paper; a registration that no file shows on that day has none.
with sales as (
    select
        transfers.transfer_key,
        transfers.kind_code,
        transfers.lot_key,
        transfers.first_date,
        transfers.payee_role_code,
        transfers.invoicing_party_key,
        transfers.operator_key,
        transfers.reinfo_key,
        holders.party_key as holder_key,
        case
            when transfers.invoicing_party_key = transfers.payee_key then 'SELLER'
            when transfers.invoicing_party_key = transfers.payer_key then 'BUYER'
            else 'OTHER'
        end as invoicer_code,
        transfers.copper_g,
        transfers.value_usd,
        transfers.invoice_key,
        transfers.sheet_id,
        transfers.is_synthetic
    from {{ ref('fct_transfer') }} as transfers
    left join {{ ref('dim_registration') }} as holders
        on
            transfers.reinfo_key = holders.registration_key
            and transfers.is_synthetic = holders.is_synthetic
            and transfers.first_date >= holders.valid_from
            and transfers.first_date < coalesce(holders.valid_to, date '9999-12-31')
    where
        transfers.kind_code in ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT')
        and transfers.value_basis_code = 'observed'
),

pairs as (
    select
        'INVOICED_BY_ANOTHER' as finding_code,
        *
    from sales
    where invoicing_party_key <> operator_key
    union all
    select
        'REGISTRATION_OF_ANOTHER' as finding_code,
        *
    from sales
    where holder_key <> operator_key
    union all
    select
        'INVOICED_BY_NO_HOLDER' as finding_code,
        *
    from sales
    where invoicing_party_key <> holder_key
)

select
    finding_code,
    transfer_key,
    kind_code,
    lot_key,
    first_date as finding_date,
    payee_role_code,
    invoicer_code,
    invoicing_party_key,
    operator_key,
    holder_key,
    reinfo_key,
    copper_g,
    value_usd,
    invoice_key,
    sheet_id,
    is_synthetic
from pairs
