-- The tax office's answers to documents.
select
    receipt_id_sunat,
    document_key,
    document_id_sunat,
    document_type_code,
    issuer_key,
    response_code,
    response_description,
    note,
    response_date,
    response_time,
    file_name_agrees,
    member_name,
    {{ lineage() }},
    {{ is_current(['document_key', 'receipt_id_sunat']) }} as is_current
from {{ source('raw', 'sunat_documents__receipts') }}
