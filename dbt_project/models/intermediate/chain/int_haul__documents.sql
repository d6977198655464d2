-- Documents of one haul, found by their references: the sender's waybill, its carrier's, the sale and the carriage that
-- name them. haul_key is the sender's waybill, or the carrier's where that one is not in the files.
with classified as (
    select
        document_key,
        kind_code,
        part_code,
        lot_key,
        names_several_lots,
        is_synthetic
    from {{ ref('int_document__classified') }}
    where part_code not in ('OTHER', 'REFUSED')
),

named as (
    select
        document_key,
        max(case when reference_code = 'SENDER_WAYBILL' then named_document_key end) as sender_waybill_key,
        max(case when reference_code = 'CARRIER_WAYBILL' then named_document_key end) as carrier_waybill_key,
        is_synthetic
    from {{ ref('int_document__references') }}
    where reference_code in ('SENDER_WAYBILL', 'CARRIER_WAYBILL')
    group by document_key, is_synthetic
),

carried as (
    select
        classified.document_key,
        coalesce(named.sender_waybill_key, classified.document_key) as haul_key,
        classified.is_synthetic
    from classified
    left join named
        on classified.document_key = named.document_key and classified.is_synthetic = named.is_synthetic
    where classified.kind_code = 'WAYBILL_CARRIER'
)

select
    classified.document_key,
    classified.kind_code,
    classified.lot_key,
    classified.names_several_lots,
    case
        when classified.kind_code = 'WAYBILL_SENDER' then classified.document_key
        else coalesce(own.haul_key, named.sender_waybill_key, carried.haul_key)
    end as haul_key,
    classified.is_synthetic
from classified
left join named
    on classified.document_key = named.document_key and classified.is_synthetic = named.is_synthetic
left join carried as own
    on classified.document_key = own.document_key and classified.is_synthetic = own.is_synthetic
left join carried
    on named.carrier_waybill_key = carried.document_key and named.is_synthetic = carried.is_synthetic
where
    classified.kind_code = 'WAYBILL_SENDER'
    or coalesce(own.haul_key, named.sender_waybill_key, carried.haul_key) is not null
