-- Which document another one names: its waybills, the advances that it deducts, and the voucher that a note or a final
-- voucher corrects. A reference
-- says type, series and number but not whose: it is the issuer's own, of a carrier's waybill the sender's, and an
-- invoice for carriage may name its client's (a sale of goods never does). What is not in the files, or was refused, is
-- not here.
with named as (
    select
        document_key,
        document_type_code,
        issuer_key,
        counterparty_key,
        sender_key,
        subject_code,
        {{ json_items('related_documents') }} as related,
        is_synthetic
    from {{ ref('int_document__read') }}
    where related_documents is not null
),

referred as (
    select
        *,
        {{ json_value('related', 'type') }} as type_code,
        {{ json_value('related', 'id') }} as id_sunat
    from named
),

asked as (
    select
        document_key,
        type_code,
        id_sunat,
        case when document_type_code = '31' then sender_key else issuer_key end as whose_key,
        1 as preference,
        case type_code when '09' then 'SENDER_WAYBILL' else 'CARRIER_WAYBILL' end as reference_code,
        is_synthetic
    from referred
    where type_code in ('09', '31')

    union all

    select
        document_key,
        type_code,
        id_sunat,
        counterparty_key as whose_key,
        2 as preference,
        'SENDER_WAYBILL' as reference_code,
        is_synthetic
    from referred
    where
        type_code = '09'
        and document_type_code <> '31'
        and coalesce(subject_code, '-') not in ('ORE', 'PRODUCT')

    union all

    -- SUNAT catalogue 12: an invoice (02) or a receipt (03) that was issued for an advance.
    select
        document_key,
        case type_code when '02' then '01' else '03' end as type_code,
        id_sunat,
        issuer_key as whose_key,
        1 as preference,
        'ADVANCE' as reference_code,
        is_synthetic
    from referred
    where type_code in ('02', '03')

    union all

    select
        document_key,
        first_type_code as type_code,
        first_id_sunat as id_sunat,
        issuer_key as whose_key,
        1 as preference,
        'FIRST_VOUCHER' as reference_code,
        is_synthetic
    from {{ ref('int_document__read') }}
    where first_id_sunat is not null
),

known as (
    select
        document_key,
        document_type_code,
        document_id_sunat,
        issuer_key,
        is_synthetic
    from {{ ref('int_document__read') }}
    where not is_refused
),

found as (
    select
        asked.document_key,
        asked.reference_code,
        asked.preference,
        known.document_key as named_document_key,
        asked.is_synthetic
    from asked
    inner join known
        on
            asked.whose_key = known.issuer_key
            and asked.type_code = known.document_type_code
            and asked.id_sunat = known.document_id_sunat
            and asked.is_synthetic = known.is_synthetic
)

select
    document_key,
    reference_code,
    named_document_key,
    is_synthetic
from (
    select
        *,
        row_number() over (
            partition by document_key, reference_code, is_synthetic order by preference, named_document_key
        ) as choice
    from found
) as ranked
where choice = 1 or reference_code = 'ADVANCE'
