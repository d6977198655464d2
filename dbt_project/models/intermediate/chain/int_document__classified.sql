-- Every document in use with its kind of fact (kind_code) and the part that it plays in it (part_code): SALE, what is
-- paid for goods or a service; ADJUSTMENT, a note or a final voucher that corrects a sale; WAYBILL; OTHER, not of this
-- chain. Lines tell what is sold; ore at the pit, between collectors and at a plant read alike, and who buys tells them
-- apart. Carriage, assays and the like are sold to everybody: they are of this chain where the voucher names a lot or a
-- waybill of it, or is between its parties.
with {{ roles_cte() }},

references_of as (
    select
        document_key,
        is_synthetic,
        max(case when reference_code <> 'FIRST_VOUCHER' then 1 else 0 end) = 1 as names_waybill,
        max(case when reference_code = 'FIRST_VOUCHER' then named_document_key end) as first_document_key
    from {{ ref('int_document__references') }}
    group by document_key, is_synthetic
),

-- A purchase settlement (04) is issued by the buyer.
sided as (
    select
        documents.*,
        case when documents.document_type_code = '04' then documents.counterparty_key else documents.issuer_key end
            as seller_key,
        case when documents.document_type_code = '04' then documents.issuer_key else documents.counterparty_key end
            as buyer_key,
        references_of.first_document_key,
        coalesce(references_of.names_waybill, false) as names_waybill
    from {{ ref('int_document__read') }} as documents
    left join references_of
        on
            documents.document_key = references_of.document_key
            and documents.is_synthetic = references_of.is_synthetic
),

parted as (
    select
        sided.*,
        case
            when sided.subject_code is null then 'OTHER'
            when sided.document_type_code in ('09', '31')
                then case when sided.subject_code in ('ORE', 'PRODUCT') then 'WAYBILL' else 'OTHER' end
            when sided.document_type_code not in ('01', '03', '04', '07', '08') then 'OTHER'
            when
                sided.subject_code not in ('ORE', 'PRODUCT')
                and sided.lot_key is null
                and not sided.names_several_lots
                and not sided.names_waybill
                and (sellers.party_key is null or buyers.party_key is null)
                then 'OTHER'
            when sided.document_type_code in ('07', '08') or sided.first_id_sunat is not null then 'ADJUSTMENT'
            else 'SALE'
        end as part_code,
        coalesce(buyers.is_plant, false) as buyer_is_plant,
        coalesce(sellers.is_collector, false) as seller_is_collector
    from sided
    left join roles as sellers on sided.seller_key = sellers.party_key and sided.is_synthetic = sellers.is_synthetic
    left join roles as buyers on sided.buyer_key = buyers.party_key and sided.is_synthetic = buyers.is_synthetic
),

kinds as (
    select
        *,
        case
            when part_code = 'OTHER' then 'OTHER'
            when part_code = 'WAYBILL'
                then case document_type_code when '09' then 'WAYBILL_SENDER' else 'WAYBILL_CARRIER' end
            when subject_code = 'PRODUCT'
                then case
                    when counterparty_kind = 'FOREIGN_TAX' or operation_type_code like '02%' then 'EXPORT'
                    else 'CONCENTRATE'
                end
            when subject_code <> 'ORE' then subject_code
            when lot_kind_code = 'PIT' then 'ORE_AT_PIT'
            when buyer_is_plant then 'ORE_AT_PLANT'
            when seller_is_collector or lot_kind_code = 'LOAD' then 'ORE_BETWEEN_COLLECTORS'
            when names_waybill then 'ORE_AT_PLANT'
            else 'ORE_AT_PIT'
        end as kind_code
    from parted
)

select
    kinds.document_key,
    kinds.kind_code,
    kinds.part_code,
    kinds.document_type_code,
    kinds.issue_date,
    kinds.issuer_key,
    kinds.counterparty_key,
    kinds.seller_key,
    kinds.buyer_key,
    kinds.sender_key,
    kinds.carrier_key,
    kinds.plate_key,
    kinds.lot_key,
    kinds.lot_kind_code,
    kinds.names_several_lots,
    kinds.first_document_key,
    kinds.subject_code,
    kinds.product_form_code,
    kinds.transfer_start_date,
    kinds.transfer_reason_code,
    kinds.gross_weight_kg,
    kinds.quantity_t,
    kinds.mining_right_id_ingemmet,
    kinds.currency_code,
    cast(case when kinds.document_type_code = '07' then -kinds.net_amount else kinds.net_amount end as decimal(18, 2))
        as net_amount,
    cast(
        case kinds.currency_code
            when 'USD' then kinds.net_amount
            when 'PEN' then kinds.net_amount / rates.pen_per_usd
        end * case when kinds.document_type_code = '07' then -1 else 1 end as decimal(18, 2)
    ) as value_usd,
    rates.pen_per_usd,
    rates.fx_series_code,
    kinds.is_synthetic,
    kinds.landing_sha256,
    kinds.row_number
from kinds
left join {{ ref('int_price__daily') }} as rates
    on kinds.issue_date = rates.price_date and kinds.is_synthetic = rates.is_synthetic
