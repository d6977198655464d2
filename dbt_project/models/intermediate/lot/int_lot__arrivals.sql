-- Where every lot was weighed in: one row per scale and lot. Tickets that repeat a weighing (same plate, gross and
-- tare) count once; a lot that came in several trucks is their sum. A haul to whose scale nobody handed in a ticket
-- arrives as its waybill says (source_code WAYBILL).
with weighings as (
    select
        tickets.weighing_party_key,
        codes.lot_key,
        codes.lot_kind_code,
        tickets.ticket_id,
        tickets.weighed_in_at,
        tickets.product_form_code,
        tickets.supplier_key,
        tickets.invoicing_party_key,
        tickets.operator_key,
        tickets.reinfo_key,
        tickets.carrier_key,
        links.haul_key,
        waybills.transfer_reason_code,
        tickets.net_kg,
        {{ repetition_of_weighing('codes.lot_key') }} as repetition,
        tickets.is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join {{ ref('int_lot__codes') }} as codes
        on
            tickets.weighing_party_key = codes.party_key
            and tickets.lot_id = codes.lot_id
            and tickets.is_synthetic = codes.is_synthetic
    left join {{ ref('int_ticket__hauls') }} as links
        on
            tickets.weighing_party_key = links.weighing_party_key
            and tickets.ticket_id = links.ticket_id
            and tickets.is_synthetic = links.is_synthetic
    left join {{ ref('int_document__classified') }} as waybills
        on links.haul_key = waybills.document_key and links.is_synthetic = waybills.is_synthetic
    where tickets.is_current
),

firsts as (
    select
        *,
        row_number() over (
            partition by weighing_party_key, lot_key, is_synthetic order by weighed_in_at, ticket_id
        ) as nth,
        sum(net_kg) over (partition by weighing_party_key, lot_key, is_synthetic) as lot_kg
    from weighings
    where repetition = 1
),

linked as (
    select distinct
        haul_key,
        is_synthetic
    from {{ ref('int_ticket__hauls') }}
),

hauls as (
    select
        hauls.haul_key,
        hauls.lot_key,
        waybills.lot_kind_code,
        waybills.buyer_key as receiver_key,
        coalesce(waybills.sender_key, waybills.issuer_key) as supplier_key,
        coalesce(waybills.carrier_key, case when waybills.kind_code = 'WAYBILL_CARRIER' then waybills.issuer_key end)
            as carrier_key,
        coalesce(waybills.transfer_start_date, waybills.issue_date) as arrived_date,
        waybills.product_form_code,
        waybills.transfer_reason_code,
        waybills.gross_weight_kg,
        row_number() over (
            partition by waybills.buyer_key, hauls.lot_key, hauls.is_synthetic
            order by waybills.issue_date, hauls.haul_key
        ) as nth,
        sum(waybills.gross_weight_kg) over (partition by waybills.buyer_key, hauls.lot_key, hauls.is_synthetic)
            as lot_kg,
        hauls.is_synthetic
    from {{ ref('int_haul__lots') }} as hauls
    inner join {{ ref('int_document__classified') }} as waybills
        on hauls.haul_key = waybills.document_key and hauls.is_synthetic = waybills.is_synthetic
    left join linked
        on hauls.haul_key = linked.haul_key and hauls.is_synthetic = linked.is_synthetic
    where linked.haul_key is null and hauls.lot_key is not null
)

select
    weighing_party_key as receiver_key,
    lot_key,
    lot_kind_code,
    'TICKET' as source_code,
    ticket_id,
    haul_key,
    transfer_reason_code,
    cast(weighed_in_at as date) as arrived_date,
    product_form_code,
    supplier_key,
    invoicing_party_key,
    operator_key,
    reinfo_key,
    carrier_key,
    cast(lot_kg * 0.001 as decimal(18, 6)) as mass_wmt,
    is_synthetic
from firsts
where nth = 1

union all

select
    hauls.receiver_key,
    hauls.lot_key,
    coalesce(codes.lot_kind_code, hauls.lot_kind_code) as lot_kind_code,
    'WAYBILL' as source_code,
    null as ticket_id,
    hauls.haul_key,
    hauls.transfer_reason_code,
    hauls.arrived_date,
    hauls.product_form_code,
    hauls.supplier_key,
    null as invoicing_party_key,
    null as operator_key,
    null as reinfo_key,
    hauls.carrier_key,
    cast(hauls.lot_kg * 0.001 as decimal(18, 6)) as mass_wmt,
    hauls.is_synthetic
from hauls
left join {{ ref('lot_code_patterns') }} as codes
    on {{ matches('hauls.lot_key', 'codes.pattern') }}
left join firsts
    on
        hauls.receiver_key = firsts.weighing_party_key
        and hauls.lot_key = firsts.lot_key
        and hauls.is_synthetic = firsts.is_synthetic
where hauls.nth = 1 and firsts.lot_key is null
