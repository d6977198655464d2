{{ config(schema="intermediate", materialized="table") }}
-- What papers tell of each lot: one row per lot and kind of paper (seed lot_evidence), whatever it has.
with made as (
    select
        lot_key,
        'MADE' as evidence_code,
        min(ended_date) as first_date,
        {{ told_of_lot({
            'product_form_code': 'min(product_form_code)', 'mass_dmt': 'sum(mass_g) * 0.000001',
            'copper_g': 'sum(copper_g)', 'plant_key': 'min(case when not is_heap then plant_key end)',
        }) }},
        1 as nth,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where stream_code <> 'FEED'
    group by lot_key, is_synthetic
),

fed as (
    select
        lot_key,
        'FED' as evidence_code,
        min(ended_date) as first_date,
        {{ told_of_lot({
            'product_form_code': 'min(product_form_code)', 'mass_dmt': 'sum(mass_g) * 0.000001',
            'copper_g': 'sum(copper_g)', 'plant_key': 'min(case when not is_heap then plant_key end)',
        }) }},
        1 as nth,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where stream_code = 'FEED'
    group by lot_key, is_synthetic
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
        keys.lot_key,
        case when sheets.stage_code = 'PROVISIONAL' then 'SETTLED_PROVISIONAL' else 'SETTLED' end as evidence_code,
        sheets.settlement_date as first_date,
        {{ told_of_lot({
            'product_form_code': 'sheets.product_form_code', 'mass_wmt': 'sheets.settled_wmt',
            'moisture_pct': 'sheets.moisture_pct', 'mass_dmt': 'sheets.settled_dmt', 'cu_pct': 'sheets.cu_pct',
            'copper_g': 'round(sheets.settled_dmt * sheets.cu_pct * 10000)', 'value_usd': 'sheets.value_usd',
            'plant_key': 'plants.plant_key', 'operator_key': 'sheets.operator_key', 'reinfo_key': 'sheets.reinfo_key',
        }) }},
        row_number() over (
            partition by keys.lot_key, sheets.stage_code = 'PROVISIONAL', sheets.is_synthetic
            order by sheets.settlement_date desc, sheets.buyer_key, sheets.settlement_id
        ) as nth,
        sheets.is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_lot__keys') }} as keys
        on
            sheets.buyer_key = keys.party_key
            and sheets.lot_id = keys.lot_id
            and sheets.is_synthetic = keys.is_synthetic
    left join plants
        on sheets.buyer_key = plants.plant_key and sheets.is_synthetic = plants.is_synthetic
    where sheets.is_current
),

declarations as (
    select
        keys.lot_key,
        case
            when lines.version_code = 'PROVISIONAL' then 'EXPORTED_PROVISIONAL' else 'EXPORTED'
        end as evidence_code,
        min(lines.shipped_date) as first_date,
        {{ told_of_lot({
            'product_form_code': 'min(lines.product_form_code)', 'mass_wmt': 'sum(lines.net_wmt)',
            'mass_dmt': 'sum(lines.net_dmt)', 'copper_g': 'round(sum(lines.net_dmt * lines.cu_pct) * 10000)',
        }) }},
        1 as nth,
        lines.is_synthetic
    from {{ ref('stg_partner_exports__lines') }} as lines
    inner join {{ ref('int_lot__keys') }} as keys
        on
            lines.exporter_key = keys.party_key
            and lines.lot_id = keys.lot_id
            and lines.is_synthetic = keys.is_synthetic
    where lines.is_current
    group by keys.lot_key, lines.version_code, lines.is_synthetic
),

-- A ticket that repeats a weighing (same truck, gross and tare) counts once.
weighings as (
    select
        keys.lot_key,
        tickets.*,
        row_number() over (
            partition by
                tickets.weighing_party_key, keys.lot_key, tickets.plate_key, tickets.gross_kg, tickets.tare_kg,
                tickets.is_synthetic
            order by tickets.weighed_in_at, tickets.ticket_id
        ) as repetition
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join {{ ref('int_lot__keys') }} as keys
        on
            tickets.weighing_party_key = keys.party_key
            and tickets.lot_id = keys.lot_id
            and tickets.is_synthetic = keys.is_synthetic
    where tickets.is_current
),

-- On the scale where it was first weighed; further ones weigh it again.
scales as (
    select
        *,
        sum(net_kg) over (partition by lot_key, weighing_party_key, is_synthetic) as lot_kg,
        row_number() over (partition by lot_key, is_synthetic order by weighed_in_at, ticket_id) as nth
    from weighings
    where repetition = 1
),

tickets as (
    select
        scales.lot_key,
        'WEIGHED' as evidence_code,
        cast(scales.weighed_in_at as date) as first_date,
        {{ told_of_lot({
            'product_form_code': 'scales.product_form_code', 'mass_wmt': 'scales.lot_kg * 0.001',
            'plant_key': 'plants.plant_key', 'operator_key': 'scales.operator_key', 'reinfo_key': 'scales.reinfo_key',
            'mining_right_id_ingemmet': 'scales.mining_right_id_ingemmet',
            'origin_ubigeo_code': 'scales.origin_ubigeo_code',
        }) }},
        scales.nth,
        scales.is_synthetic
    from scales
    left join plants
        on scales.weighing_party_key = plants.plant_key and scales.is_synthetic = plants.is_synthetic
),

certificates as (
    select
        keys.lot_key,
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
            partition by keys.lot_key, certificates.requested_by_code, certificates.is_synthetic
            order by certificates.certificate_date desc, certificates.laboratory_key, certificates.certificate_id
        ) as nth,
        certificates.is_synthetic
    from {{ ref('stg_partner_assays__certificates') }} as certificates
    inner join {{ ref('int_lot__keys') }} as keys
        on
            certificates.laboratory_key = keys.party_key
            and certificates.lot_id = keys.lot_id
            and certificates.is_synthetic = keys.is_synthetic
    where certificates.is_current
),

papers as (
    select * from made
    union all
    select * from fed
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
