{{ config(materialized='view') }}
-- The rows of the sources on which each transfer rests: vouchers and notes; the sheets, certificates or declarations
-- that valued it; of carriage its waybills and tickets. A document evidences one transfer; a sheet that deducts the
-- freight evidences the sale and the carriage.
with transfers as (
    select
        transfer_key,
        kind_code,
        lot_key,
        payer_key,
        sheet_code,
        row_number() over (partition by kind_code, lot_key, is_synthetic order by transfer_key) as nth,
        is_synthetic
    from {{ ref('int_transfer__observed') }}
),

-- Papers of a lot with the kind of transfer that they evidence; payer_key where they say who pays.
papers as (
    select
        matched.kind_code as evidence_code,
        'HAULAGE' as kind_code,
        matched.lot_key,
        cast(null as varchar) as payer_key,
        'sunat_documents__documents' as source_table,
        matched.document_key as paper_id,
        documents.landing_sha256,
        documents.row_number,
        matched.is_synthetic
    from {{ ref('int_document__matched') }} as matched
    inner join {{ ref('int_document__classified') }} as documents
        on matched.document_key = documents.document_key and matched.is_synthetic = documents.is_synthetic
    where matched.part_code = 'WAYBILL'

    union all

    select
        'TICKET' as evidence_code,
        case when codes.lot_kind_code = 'PIT' then 'ORE_AT_PIT' else 'HAULAGE' end as kind_code,
        codes.lot_key,
        null as payer_key,
        'partner_weigh_tickets__tickets' as source_table,
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
    where tickets.is_current

    union all

    select
        'SHEET' as evidence_code,
        case when codes.lot_kind_code = 'PRODUCT' then 'CONCENTRATE' else 'ORE_AT_PLANT' end as kind_code,
        codes.lot_key,
        sheets.buyer_key as payer_key,
        'partner_settlements__settlements' as source_table,
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
    where sheets.is_current

    union all

    select
        'FREIGHT' as evidence_code,
        'HAULAGE' as kind_code,
        codes.lot_key,
        sheets.buyer_key as payer_key,
        'partner_settlements__settlements' as source_table,
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
    where sheets.is_current and sheets.freight_usd > 0

    union all

    select
        'ASSAY' as evidence_code,
        case when codes.lot_kind_code = 'PRODUCT' then 'CONCENTRATE' else 'ORE_AT_PLANT' end as kind_code,
        codes.lot_key,
        null as payer_key,
        'partner_assays__certificates' as source_table,
        certificates.certificate_id as paper_id,
        certificates.landing_sha256,
        certificates.row_number,
        certificates.is_synthetic
    from {{ ref('stg_partner_assays__certificates') }} as certificates
    inner join {{ ref('int_lot__codes') }} as codes
        on
            certificates.laboratory_key = codes.party_key
            and certificates.lot_id = codes.lot_id
            and certificates.is_synthetic = codes.is_synthetic
    where certificates.is_current

    union all

    select
        'DECLARATION' as evidence_code,
        'EXPORT' as kind_code,
        lot_key,
        null as payer_key,
        'partner_exports__lines' as source_table,
        declaration_id as paper_id,
        landing_sha256,
        row_number,
        is_synthetic
    from {{ ref('int_export__lines') }}
    where lot_key is not null

    union all

    select
        'CAMPAIGN' as evidence_code,
        'MILLING' as kind_code,
        milled.lot_key,
        null as payer_key,
        'partner_campaigns__lines' as source_table,
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
    where lines.is_current
)

select
    vouchers.transfer_key,
    vouchers.part_code as evidence_code,
    'sunat_documents__documents' as source_table,
    vouchers.document_key as paper_id,
    documents.landing_sha256,
    documents.row_number,
    vouchers.is_synthetic
from {{ ref('int_transfer__vouchers') }} as vouchers
inner join {{ ref('int_document__classified') }} as documents
    on vouchers.document_key = documents.document_key and vouchers.is_synthetic = documents.is_synthetic

union all

-- Where a lot was carried for several payees, or sold more than once, a paper that does not say whose it is stands with
-- the first.
select
    transfers.transfer_key,
    papers.evidence_code,
    papers.source_table,
    papers.paper_id,
    papers.landing_sha256,
    papers.row_number,
    papers.is_synthetic
from papers
inner join transfers
    on
        papers.kind_code = transfers.kind_code
        and papers.lot_key = transfers.lot_key
        and papers.is_synthetic = transfers.is_synthetic
where
    (papers.payer_key is null and transfers.nth = 1)
    or (papers.payer_key = transfers.payer_key and (papers.evidence_code = 'SHEET' or transfers.sheet_code = 'FREIGHT'))
