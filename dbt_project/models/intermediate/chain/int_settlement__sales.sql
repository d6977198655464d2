-- One row per buyer and lot of the settlement sheets: the sheet that holds (final, else the only one, else
-- provisional), and of the first one what its voucher should say.
with sheets as (
    select
        sheets.*,
        codes.lot_key,
        codes.lot_kind_code,
        case sheets.stage_code when 'FINAL' then 1 when 'UNICA' then 2 else 3 end as precedence
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_settlement__sheets_held') }} as holding
        on {{ same_sheet('sheets', 'holding') }}
    inner join {{ ref('int_lot__codes') }} as codes
        on
            sheets.buyer_key = codes.party_key
            and sheets.lot_id = codes.lot_id
            and sheets.is_synthetic = codes.is_synthetic
    where sheets.is_current
),

ranked as (
    select
        *,
        row_number() over (
            partition by buyer_key, lot_key, is_synthetic
            order by precedence asc, settlement_date desc, settlement_id asc
        ) as choice,
        row_number() over (
            partition by buyer_key, lot_key, is_synthetic
            order by settlement_date asc, precedence desc, settlement_id asc
        ) as nth
    from sheets
)

select
    held.buyer_key,
    held.lot_key,
    held.lot_kind_code,
    held.settlement_id,
    held.stage_code,
    held.settlement_date,
    held.product_form_code,
    held.seller_key,
    held.invoicing_party_key,
    held.operator_key,
    held.reinfo_key,
    held.invoice_key,
    held.settled_wmt,
    coalesce(held.settled_dmt, held.payable_dmt) as settled_dmt,
    held.cu_pct,
    held.value_usd,
    held.freight_usd,
    held.detraction_deposit_id,
    first_sheet.settlement_id as first_settlement_id,
    first_sheet.settlement_date as first_date,
    first_sheet.invoice_key as first_invoice_key,
    cast(
        case
            when first_sheet.stage_code = 'PROVISIONAL'
                then {{ provisional_usd('first_sheet.value_usd', 'first_sheet.provisional_pct') }}
            else first_sheet.value_usd
        end as decimal(18, 2)
    ) as first_voucher_usd,
    held.is_synthetic
from ranked as held
inner join ranked as first_sheet
    on
        held.buyer_key = first_sheet.buyer_key
        and held.lot_key = first_sheet.lot_key
        and held.is_synthetic = first_sheet.is_synthetic
        and first_sheet.nth = 1
where held.choice = 1
