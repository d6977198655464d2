-- Every document with what its lines say: one row per document. A lot is told only where the lines name one and the
-- same. Of lines about goods and a service (names_several_subjects) the goods count. A final voucher names the first
-- one in its text (is_final), a note in its own field. is_refused, the tax office's last answer refuses it
-- (ref_receipt_outcome).
with lines as (
    select
        document_key,
        is_synthetic,
        quantity,
        quantity_unit_code,
        item_properties,
        line_extension_amount,
        {{ plain('item_description') }} as plain_text,
        {{ masked('item_description') }} as masked_text
    from {{ ref('stg_sunat_documents__lines') }}
    where is_current
),

said as (
    select
        lines.*,
        texts.pattern_order,
        texts.subject_code,
        texts.lot_kind_code,
        substr(lines.plain_text, texts.lot_at, texts.lot_length) as lot_key,
        substr(lines.plain_text, texts.last_lot_at, texts.lot_length) as last_lot_key,
        substr(lines.plain_text, texts.first_at, texts.first_length) as first_id_sunat
    from lines
    left join {{ ref('int_document__texts') }} as texts on lines.masked_text = texts.masked_text
),

whole as (
    select
        document_key,
        is_synthetic,
        coalesce(
            min(case when subject_code in ('ORE', 'PRODUCT') then pattern_order end), min(pattern_order)
        ) as pattern_order,
        coalesce(min(subject_code) <> max(subject_code), false) as names_several_subjects,
        min(lot_key) as lot_key,
        min(lot_kind_code) as lot_kind_code,
        coalesce(min(lot_key) <> max(lot_key), false)
        or max(case when lot_key <> last_lot_key then 1 else 0 end) = 1 as names_several_lots,
        min(first_id_sunat) as first_id_sunat,
        sum(case quantity_unit_code when 'TNE' then quantity when 'KGM' then quantity * 0.001 end) as quantity_t,
        sum(line_extension_amount) as lines_amount,
        min({{ json_value('item_properties', '6000') }}) as mining_right_id_ingemmet
    from said
    group by document_key, is_synthetic
),

answers as (
    select
        document_key,
        lpad(response_code, 4, '0') as response_code,
        row_number() over (
            partition by document_key, is_synthetic
            order by response_date desc, response_time desc, receipt_id_sunat desc
        ) as choice,
        is_synthetic
    from {{ ref('stg_sunat_documents__receipts') }}
    where is_current and document_key is not null
),

refused as (
    select distinct
        answers.document_key,
        answers.is_synthetic
    from answers
    inner join {{ ref('ref_receipt_outcome') }} as outcomes
        on answers.response_code between outcomes.first_code and outcomes.last_code
    where answers.choice = 1 and outcomes.is_refusal
)

select
    documents.document_key,
    documents.document_type_code,
    documents.document_id_sunat,
    documents.issue_date,
    documents.issuer_key,
    documents.counterparty_key,
    documents.counterparty_kind,
    documents.sender_key,
    documents.carrier_key,
    documents.plate_key,
    documents.currency_code,
    -- Advances were invoiced before: each is a voucher of its own.
    cast(
        coalesce(documents.line_extension_amount, whole.lines_amount) - coalesce(documents.advance_amount, 0)
        as decimal(18, 2)
    ) as net_amount,
    documents.transfer_start_date,
    documents.transfer_reason_code,
    cast(documents.gross_weight_kg as decimal(18, 3)) as gross_weight_kg,
    cast(whole.quantity_t as decimal(18, 6)) as quantity_t,
    whole.mining_right_id_ingemmet,
    documents.operation_type_code,
    documents.related_documents,
    coalesce(documents.affected_document_id_sunat, whole.first_id_sunat) as first_id_sunat,
    coalesce(
        documents.affected_document_type_code,
        case when whole.first_id_sunat is not null then documents.document_type_code end
    ) as first_type_code,
    whole.first_id_sunat is not null as is_final,
    refused.document_key is not null as is_refused,
    kinds.subject_code,
    kinds.product_form_code,
    case when not whole.names_several_lots then whole.lot_key end as lot_key,
    case when not whole.names_several_lots then whole.lot_kind_code end as lot_kind_code,
    coalesce(whole.names_several_lots, false) as names_several_lots,
    coalesce(whole.names_several_subjects, false) as names_several_subjects,
    documents.is_synthetic,
    documents.landing_sha256,
    documents.row_number
from {{ ref('stg_sunat_documents__documents') }} as documents
left join whole
    on documents.document_key = whole.document_key and documents.is_synthetic = whole.is_synthetic
left join refused
    on documents.document_key = refused.document_key and documents.is_synthetic = refused.is_synthetic
left join {{ ref('document_patterns') }} as kinds on whole.pattern_order = kinds.pattern_order
where documents.is_current
