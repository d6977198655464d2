-- Ore on the road, as waybills show it and as plants' scales show it: one row per haul and source. They are the same
-- ore seen twice and never added up. A carrier's waybill counts only where the sender's is not in the files; the same
-- weighing entered again (same plate, gross and tare) counts once.
with ore_forms as (
    select product_form_code
    from {{ ref('ref_copper_assumption') }}
    where assumption_code = 'RECOVERY'
),

waybills as (
    select
        'WAYBILL' as source_code,
        hauls.haul_key as evidence_key,
        coalesce(waybills.transfer_start_date, waybills.issue_date) as haul_date,
        substr(documents.origin_ubigeo_code, 1, 2) as department_code,
        hauls.lot_key,
        waybills.product_form_code,
        cast(coalesce(waybills.gross_weight_kg / 1000, waybills.quantity_t) as decimal(18, 6)) as mass_wmt,
        waybills.is_synthetic,
        waybills.landing_sha256,
        waybills.row_number
    from {{ ref('int_haul__lots') }} as hauls
    inner join {{ ref('int_document__classified') }} as waybills
        on hauls.haul_key = waybills.document_key and hauls.is_synthetic = waybills.is_synthetic
    inner join {{ ref('stg_sunat_documents__documents') }} as documents
        on
            hauls.haul_key = documents.document_key
            and hauls.is_synthetic = documents.is_synthetic
            and documents.is_current
    where waybills.subject_code = 'ORE'
),

weighings as (
    select
        'TICKET' as source_code,
        min(tickets.ticket_id) as evidence_key,
        cast(min(tickets.weighed_in_at) as date) as haul_date,
        substr(min(tickets.origin_ubigeo_code), 1, 2) as department_code,
        coalesce(codes.lot_key, tickets.lot_id) as lot_key,
        tickets.product_form_code,
        cast(min(tickets.net_kg) / 1000 as decimal(18, 6)) as mass_wmt,
        tickets.is_synthetic,
        arg_min(tickets.landing_sha256, tickets.ticket_id) as landing_sha256,
        arg_min(tickets.row_number, tickets.ticket_id) as row_number
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join ore_forms on tickets.product_form_code = ore_forms.product_form_code
    left join {{ ref('int_lot__codes') }} as codes
        on
            tickets.weighing_party_key = codes.party_key
            and tickets.lot_id = codes.lot_id
            and tickets.is_synthetic = codes.is_synthetic
    -- what a collector weighs at the pit comes on no truck with papers, and is weighed again at the plant
    where tickets.is_current and tickets.plate_key is not null
    group by
        tickets.weighing_party_key, coalesce(codes.lot_key, tickets.lot_id), tickets.product_form_code,
        tickets.plate_key, tickets.gross_kg, tickets.tare_kg, tickets.is_synthetic
)

select * from waybills
union all
select * from weighings
