{{ config(meta={'trace': {'parent': 'int_document__classified', 'on': ['document_key', 'is_synthetic']}}) }}
-- Documents of the chain that evidence no transfer: one row per document, with the reason. REFUSED, the tax office's
-- last answer refuses it; SEVERAL_LOTS, it is about more than one, as its lines, the sheets or the tickets tell;
-- SEVERAL_SUBJECTS, its lines are about goods and a service; FIRST_VOUCHER_MISSING, it corrects a voucher that is not
-- in the files or not matched either; NO_RATE, in soles on a day without exchange rate; TAKEN, others were likelier for
-- all its candidates; NO_CANDIDATE, no sale, service or haul in partners' papers is like it.
with candidates as (
    select
        document_key,
        is_synthetic,
        count(*) as candidate_count,
        max(score) as best_score
    from {{ ref('int_document__candidates') }}
    group by document_key, is_synthetic
)

select
    matched.document_key,
    matched.kind_code,
    matched.part_code,
    documents.document_type_code,
    documents.issue_date,
    documents.issuer_key,
    documents.counterparty_key,
    documents.currency_code,
    documents.net_amount,
    documents.value_usd,
    coalesce(candidates.candidate_count, 0) as candidate_count,
    candidates.best_score,
    case
        when matched.several_code is not null then matched.several_code
        when
            matched.part_code = 'ADJUSTMENT' and (matched.first_document_key is null or matched.lot_key is null)
            then 'FIRST_VOUCHER_MISSING'
        when matched.lot_key is not null then 'NO_RATE'
        when candidates.document_key is not null then 'TAKEN'
        else 'NO_CANDIDATE'
    end as why_code,
    matched.is_synthetic
from {{ ref('int_document__matched') }} as matched
inner join {{ ref('int_document__classified') }} as documents
    on matched.document_key = documents.document_key and matched.is_synthetic = documents.is_synthetic
left join candidates
    on matched.document_key = candidates.document_key and matched.is_synthetic = candidates.is_synthetic
where
    matched.lot_key is null
    or (matched.part_code = 'ADJUSTMENT' and matched.first_document_key is null)
    or (matched.part_code <> 'WAYBILL' and documents.value_usd is null)

union all

select
    document_key,
    kind_code,
    part_code,
    document_type_code,
    issue_date,
    issuer_key,
    counterparty_key,
    currency_code,
    net_amount,
    value_usd,
    0 as candidate_count,
    null as best_score,
    'REFUSED' as why_code,
    is_synthetic
from {{ ref('int_document__classified') }}
where part_code = 'REFUSED'
