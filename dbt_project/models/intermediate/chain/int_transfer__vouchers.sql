-- Vouchers with a lot, each with the transfer that it evidences: one row per document. A correction without what it
-- corrects says nothing of the value. Who invoices need not be who is paid: where the sheet or the ticket names another
-- seller, he is the payee.
with implied as (
    select
        kind_code,
        lot_key,
        is_synthetic,
        payee_key,
        invoicing_party_key
    from {{ ref('int_transfer__implied') }}
    where kind_code in ('ORE_AT_PIT', 'ORE_AT_PLANT', 'CONCENTRATE')
),

vouchers as (
    select
        matched.document_key,
        matched.kind_code,
        matched.part_code,
        documents.is_final,
        matched.lot_key,
        matched.haul_key,
        matched.method_code,
        matched.match_score,
        documents.issue_date,
        documents.issuer_key,
        documents.seller_key,
        case when matched.kind_code <> 'EXPORT' then documents.buyer_key end as payer_key,
        documents.currency_code,
        documents.net_amount,
        documents.value_usd,
        documents.quantity_t,
        documents.is_synthetic
    from {{ ref('int_document__matched') }} as matched
    inner join {{ ref('int_document__classified') }} as documents
        on matched.document_key = documents.document_key and matched.is_synthetic = documents.is_synthetic
    where
        (matched.part_code = 'SALE' or (matched.part_code = 'ADJUSTMENT' and matched.first_document_key is not null))
        and matched.lot_key is not null
        and documents.value_usd is not null
),

paid as (
    select
        vouchers.*,
        case
            when vouchers.seller_key = implied.invoicing_party_key
                then coalesce(implied.payee_key, vouchers.seller_key)
            else vouchers.seller_key
        end as payee_key
    from vouchers
    left join implied
        on
            vouchers.kind_code = implied.kind_code
            and vouchers.lot_key = implied.lot_key
            and vouchers.is_synthetic = implied.is_synthetic
)

select
    {{ transfer_key() }} as transfer_key,
    *
from paid
