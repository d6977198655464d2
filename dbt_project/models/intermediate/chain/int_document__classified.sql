-- Every document in use with its kind of fact (kind_code) and the part that it plays in it (part_code): SALE, what is
-- paid for goods or a service; ADJUSTMENT, a note or a final voucher that corrects a sale; WAYBILL; REFUSED, of this
-- chain but refused by the tax office; OTHER, not of this chain. Lines tell what is sold; ore at the pit, between
-- collectors and at a plant read alike, and who buys tells them apart. Carriage, assays and the like are sold to
-- everybody: they are of this chain where the voucher names a lot or a waybill of it, or is between its parties. A note
-- is about what the voucher that it names is about, whatever its own lines say; it adds to it (08) or takes from it
-- (07), at the rate of that one's day. first_document_key is the sale's first voucher, also where a note names its
-- final one.
with {{ roles_cte() }},

references_of as (
    select
        document_key,
        is_synthetic,
        max(case when reference_code in ('SENDER_WAYBILL', 'CARRIER_WAYBILL') then 1 else 0 end) = 1 as names_waybill,
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
        coalesce(named_of.first_document_key, references_of.first_document_key) as first_document_key,
        coalesce(references_of.names_waybill, false) as names_waybill
    from {{ ref('int_document__read') }} as documents
    left join references_of
        on
            documents.document_key = references_of.document_key
            and documents.is_synthetic = references_of.is_synthetic
    left join references_of as named_of
        on
            references_of.first_document_key = named_of.document_key
            and references_of.is_synthetic = named_of.is_synthetic
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
),

notes as (
    select
        kinds.document_key,
        firsts.kind_code,
        firsts.seller_key,
        firsts.buyer_key,
        firsts.lot_key,
        firsts.lot_kind_code,
        firsts.names_several_lots,
        firsts.names_several_subjects,
        firsts.subject_code,
        firsts.product_form_code,
        firsts.issue_date,
        kinds.is_synthetic
    from kinds
    inner join kinds as firsts
        on kinds.first_document_key = firsts.document_key and kinds.is_synthetic = firsts.is_synthetic
    where kinds.document_type_code in ('07', '08') and firsts.part_code in ('SALE', 'ADJUSTMENT')
)

select
    kinds.document_key,
    coalesce(notes.kind_code, kinds.kind_code) as kind_code,
    case
        when kinds.is_refused and coalesce(notes.kind_code, kinds.kind_code) <> 'OTHER' then 'REFUSED'
        when notes.document_key is not null then 'ADJUSTMENT'
        else kinds.part_code
    end as part_code,
    kinds.document_type_code,
    kinds.issue_date,
    kinds.issuer_key,
    kinds.counterparty_key,
    coalesce(notes.seller_key, kinds.seller_key) as seller_key,
    coalesce(notes.buyer_key, kinds.buyer_key) as buyer_key,
    kinds.sender_key,
    kinds.carrier_key,
    kinds.plate_key,
    case when kinds.lot_key is not null then coalesce(notes.lot_key, kinds.lot_key) end as lot_key,
    coalesce(notes.lot_kind_code, kinds.lot_kind_code) as lot_kind_code,
    coalesce(notes.names_several_lots, kinds.names_several_lots) as names_several_lots,
    coalesce(notes.names_several_subjects, kinds.names_several_subjects) as names_several_subjects,
    kinds.first_document_key,
    kinds.is_final,
    coalesce(notes.subject_code, kinds.subject_code) as subject_code,
    coalesce(notes.product_form_code, kinds.product_form_code) as product_form_code,
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
left join notes
    on kinds.document_key = notes.document_key and kinds.is_synthetic = notes.is_synthetic
left join {{ ref('int_price__daily') }} as rates
    on coalesce(notes.issue_date, kinds.issue_date) = rates.price_date and kinds.is_synthetic = rates.is_synthetic
