-- What papers tell of each lot: one row per lot and kind of paper (seed lot_evidence), whatever it has.
with batches as (
    select
        lot_key,
        case when stream_code = 'FEED' then 'FED' else 'MADE' end as evidence_code,
        min(ended_date) as first_date,
        {{ told_of_lot({
            'product_form_code': 'min(product_form_code)', 'mass_dmt': 'sum(mass_g) * 0.000001',
            'copper_g': 'sum(copper_g)', 'plant_key': 'min(case when not is_heap then plant_key end)',
        }) }},
        1 as nth,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    group by lot_key, case when stream_code = 'FEED' then 'FED' else 'MADE' end, is_synthetic
),

plants as (
    select distinct
        plant_key,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where not is_heap
),

sheets as (
    select
        codes.lot_key,
        case when sheets.stage_code = 'PROVISIONAL' then 'SETTLED_PROVISIONAL' else 'SETTLED' end as evidence_code,
        sheets.settlement_date as first_date,
        {{ told_of_lot({
            'product_form_code': 'sheets.product_form_code', 'mass_wmt': 'sheets.settled_wmt',
            'moisture_pct': 'sheets.moisture_pct', 'mass_dmt': 'sheets.settled_dmt', 'cu_pct': 'sheets.cu_pct',
            'copper_g': 'round(sheets.settled_dmt * sheets.cu_pct * 10000)', 'value_usd': 'sheets.value_usd',
            'plant_key': 'plants.plant_key', 'operator_key': 'sheets.operator_key', 'reinfo_key': 'sheets.reinfo_key',
        }) }},
        row_number() over (
            partition by codes.lot_key, sheets.stage_code = 'PROVISIONAL', sheets.is_synthetic
            order by sheets.settlement_date desc, sheets.buyer_key asc, sheets.settlement_id asc
        ) as nth,
        sheets.is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_lot__codes') }} as codes
        on
            sheets.buyer_key = codes.party_key
            and sheets.lot_id = codes.lot_id
            and sheets.is_synthetic = codes.is_synthetic
    left join plants
        on sheets.buyer_key = plants.plant_key and sheets.is_synthetic = plants.is_synthetic
    where sheets.is_current
),

declarations as (
    select
        lot_key,
        case version_code when 'PROVISIONAL' then 'EXPORTED_PROVISIONAL' else 'EXPORTED' end as evidence_code,
        shipped_date as first_date,
        {{ told_of_lot({
            'product_form_code': 'product_form_code', 'mass_wmt': 'net_wmt', 'mass_dmt': 'net_dmt',
            'copper_g': 'copper_g',
        }) }},
        1 as nth,
        is_synthetic
    from {{ ref('int_export__lots') }}
),

-- On the scale where it was weighed first; others weighed it again.
tickets as (
    select
        arrivals.lot_key,
        'WEIGHED' as evidence_code,
        arrivals.arrived_date as first_date,
        {{ told_of_lot({
            'product_form_code': 'arrivals.product_form_code', 'mass_wmt': 'arrivals.mass_wmt',
            'plant_key': 'plants.plant_key', 'operator_key': 'arrivals.operator_key',
            'reinfo_key': 'arrivals.reinfo_key', 'mining_right_id_ingemmet': 'tickets.mining_right_id_ingemmet',
            'origin_ubigeo_code': 'tickets.origin_ubigeo_code',
        }) }},
        row_number() over (
            partition by arrivals.lot_key, arrivals.is_synthetic
            order by arrivals.source_code, arrivals.arrived_date, arrivals.receiver_key
        ) as nth,
        arrivals.is_synthetic
    from {{ ref('int_lot__arrivals') }} as arrivals
    left join {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
        on
            arrivals.receiver_key = tickets.weighing_party_key
            and arrivals.ticket_id = tickets.ticket_id
            and arrivals.is_synthetic = tickets.is_synthetic
            and tickets.is_current
    left join plants
        on arrivals.receiver_key = plants.plant_key and arrivals.is_synthetic = plants.is_synthetic
),

certificates as (
    select
        codes.lot_key,
        case certificates.requested_by_code
            when 'DIRIMENTE' then 'ASSAYED_UMPIRE'
            when 'COMPRADOR' then 'ASSAYED_BUYER'
            else 'ASSAYED_SELLER'
        end as evidence_code,
        certificates.certificate_date as first_date,
        {{ told_of_lot({
            'moisture_pct': 'certificates.moisture_pct', 'cu_pct': 'certificates.cu_pct',
            'soluble_frac': 'least(certificates.cu_soluble_pct / nullif(certificates.cu_pct, 0), 1)',
        }) }},
        row_number() over (
            partition by codes.lot_key, certificates.requested_by_code, certificates.is_synthetic
            order by
                certificates.certificate_date desc, certificates.laboratory_key asc, certificates.certificate_id asc
        ) as nth,
        certificates.is_synthetic
    from {{ ref('stg_partner_assays__certificates') }} as certificates
    inner join {{ ref('int_lot__codes') }} as codes
        on
            certificates.laboratory_key = codes.party_key
            and certificates.lot_id = codes.lot_id
            and certificates.is_synthetic = codes.is_synthetic
    where certificates.is_current
),

papers as (
    select * from batches
    union all
    select * from sheets
    union all
    select * from declarations
    union all
    select * from tickets
    union all
    select * from certificates
)

select
    papers.*,
    ranks.evidence_rank
from papers
inner join {{ ref('lot_evidence') }} as ranks on papers.evidence_code = ranks.evidence_code
where papers.nth = 1
