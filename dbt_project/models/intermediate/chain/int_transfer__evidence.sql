{{ config(materialized='view') }}
-- The rows of the sources on which each transfer rests: vouchers and notes, the sheets or declarations that valued it,
-- and of carriage its waybills and tickets. A document evidences one transfer.
with transfers as (
    select
        transfer_key,
        kind_code,
        lot_key,
        payee_key,
        payer_key,
        invoicing_party_key,
        sheet_id,
        is_synthetic
    from {{ ref('int_transfer__observed') }}
),

-- The carriage of a lot may be paid to several: its papers stand with one of them.
hauls as (
    select
        lot_key,
        is_synthetic,
        min(transfer_key) as transfer_key
    from transfers
    where kind_code = 'HAULAGE'
    group by lot_key, is_synthetic
),

papers as (
    select
        vouchers.transfer_key,
        vouchers.part_code as evidence_code,
        vouchers.document_key as paper_id,
        documents.landing_sha256,
        documents.row_number,
        vouchers.is_synthetic
    from {{ ref('int_transfer__vouchers') }} as vouchers
    inner join {{ ref('int_document__classified') }} as documents
        on vouchers.document_key = documents.document_key and vouchers.is_synthetic = documents.is_synthetic

    union all

    select
        hauls.transfer_key,
        matched.kind_code as evidence_code,
        matched.document_key as paper_id,
        documents.landing_sha256,
        documents.row_number,
        matched.is_synthetic
    from {{ ref('int_document__matched') }} as matched
    inner join hauls on matched.lot_key = hauls.lot_key and matched.is_synthetic = hauls.is_synthetic
    inner join {{ ref('int_document__classified') }} as documents
        on matched.document_key = documents.document_key and matched.is_synthetic = documents.is_synthetic
    where matched.part_code = 'WAYBILL'

    union all

    select
        coalesce(hauls.transfer_key, pits.transfer_key) as transfer_key,
        'TICKET' as evidence_code,
        tickets.ticket_id as paper_id,
        tickets.landing_sha256,
        tickets.row_number,
        tickets.is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join {{ ref('int_lot__codes') }} as codes
        on
            tickets.weighing_party_key = codes.party_key
            and tickets.lot_id = codes.lot_id
            and tickets.is_synthetic = codes.is_synthetic
    left join hauls on codes.lot_key = hauls.lot_key and codes.is_synthetic = hauls.is_synthetic
    left join (select * from transfers where kind_code = 'ORE_AT_PIT') as pits
        on codes.lot_key = pits.lot_key and codes.is_synthetic = pits.is_synthetic
    where tickets.is_current and coalesce(hauls.transfer_key, pits.transfer_key) is not null

    union all

    select
        transfers.transfer_key,
        'SHEET' as evidence_code,
        sheets.settlement_id as paper_id,
        sheets.landing_sha256,
        sheets.row_number,
        sheets.is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_lot__codes') }} as codes
        on
            sheets.buyer_key = codes.party_key
            and sheets.lot_id = codes.lot_id
            and sheets.is_synthetic = codes.is_synthetic
    inner join transfers
        on
            codes.lot_key = transfers.lot_key
            and sheets.buyer_key = transfers.payer_key
            and sheets.is_synthetic = transfers.is_synthetic
            and transfers.kind_code in ('ORE_AT_PLANT', 'CONCENTRATE')
    where sheets.is_current

    union all

    select
        transfers.transfer_key,
        'DECLARATION' as evidence_code,
        exports.declaration_id as paper_id,
        exports.landing_sha256,
        exports.row_number,
        exports.is_synthetic
    from {{ ref('stg_partner_exports__lines') }} as exports
    inner join {{ ref('int_lot__codes') }} as codes
        on
            exports.exporter_key = codes.party_key
            and exports.lot_id = codes.lot_id
            and exports.is_synthetic = codes.is_synthetic
    inner join transfers
        on
            codes.lot_key = transfers.lot_key
            and exports.is_synthetic = transfers.is_synthetic
            and transfers.kind_code = 'EXPORT'
    where exports.is_current

    union all

    select
        transfers.transfer_key,
        'CAMPAIGN' as evidence_code,
        lines.campaign_id as paper_id,
        lines.landing_sha256,
        lines.row_number,
        lines.is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }} as lines
    inner join {{ ref('int_campaign__milled') }} as milled
        on
            lines.plant_key = milled.plant_key
            and lines.campaign_id = milled.campaign_id
            and lines.is_synthetic = milled.is_synthetic
    inner join transfers
        on
            milled.lot_key = transfers.lot_key
            and milled.is_synthetic = transfers.is_synthetic
            and transfers.kind_code = 'MILLING'
    where lines.is_current
)

select
    transfer_key,
    evidence_code,
    case
        when evidence_code in ('SALE', 'ADJUSTMENT', 'WAYBILL_SENDER', 'WAYBILL_CARRIER')
            then 'sunat_documents__documents'
        when evidence_code = 'TICKET' then 'partner_weigh_tickets__tickets'
        when evidence_code = 'SHEET' then 'partner_settlements__settlements'
        when evidence_code = 'DECLARATION' then 'partner_exports__lines'
        else 'partner_campaigns__lines'
    end as source_table,
    paper_id,
    landing_sha256,
    row_number,
    is_synthetic
from papers
