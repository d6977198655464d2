-- Documents in use = sales and adjustments of a transfer + waybills with a lot + documents of other trades + unmatched
-- ones, each of them once.
with told as (
    select document_key, is_synthetic, 'TRANSFER' as place_code from {{ ref('int_transfer__vouchers') }}
    union all
    select document_key, is_synthetic, 'WAYBILL' as place_code from {{ ref('int_document__matched') }}
    where part_code = 'WAYBILL' and lot_key is not null
    union all
    select document_key, is_synthetic, 'OTHER' as place_code from {{ ref('int_document__classified') }}
    where kind_code = 'OTHER'
    union all
    select document_key, is_synthetic, 'UNMATCHED' as place_code from {{ ref('mart_unmatched_document') }}
),

documents as (
    select document_key, is_synthetic from {{ ref('stg_sunat_documents__documents') }}
    where is_current
)

select documents.document_key, documents.is_synthetic, count(told.place_code) as places
from documents
left join told
    on documents.document_key = told.document_key and documents.is_synthetic = told.is_synthetic
group by documents.document_key, documents.is_synthetic
having count(told.place_code) <> 1
