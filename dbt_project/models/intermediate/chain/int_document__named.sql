-- How many of the vouchers and waybills that sheets, tickets and campaigns name are in the files: what is missing among
-- them tells how much may be missing elsewhere.
with named as (
    select invoice_key as document_key, is_synthetic from {{ ref('stg_partner_settlements__settlements') }}
    where is_current
    union
    select invoice_key as document_key, is_synthetic from {{ ref('stg_partner_campaigns__lines') }}
    where is_current
    union
    select sender_waybill_key as document_key, is_synthetic from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current
    union
    select carrier_waybill_key as document_key, is_synthetic from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current
),

documents as (
    select
        document_key,
        is_synthetic
    from {{ ref('stg_sunat_documents__documents') }}
    where is_current
)

select
    count(*) as named_count,
    count(*) - count(documents.document_key) as missing_count,
    cast(
        cast(count(*) - count(documents.document_key) as double) / count(*) as decimal(9, 6)
    ) as missing_frac,
    named.is_synthetic
from named
left join documents
    on named.document_key = documents.document_key and named.is_synthetic = documents.is_synthetic
where named.document_key is not null
group by named.is_synthetic
