-- The lot of every document of the chain that its own text or a reference tells: one row per document, lot_key null
-- where nothing does. NAMED, in its own lines; KEY, by the sheet or the campaign that names it, by the ticket or
-- another document of its haul, or by the voucher that it corrects, or that corrects it or deducts it as an advance. A
-- document about several lots, or about goods and a service, has no lot and is told why (several_code): whole on one of
-- them it would count there what the others' papers count too.
with documents as (
    select
        document_key,
        kind_code,
        part_code,
        lot_key,
        names_several_lots,
        names_several_subjects,
        first_document_key,
        is_synthetic
    from {{ ref('int_document__classified') }}
    where part_code not in ('OTHER', 'REFUSED')
),

-- Documents that partners' papers name, with the lot of the paper.
papers as (
    select
        sheets.invoice_key as document_key,
        codes.lot_key,
        sheets.is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_lot__codes') }} as codes
        on
            sheets.buyer_key = codes.party_key
            and sheets.lot_id = codes.lot_id
            and sheets.is_synthetic = codes.is_synthetic
    where sheets.is_current and sheets.invoice_key is not null

    union all

    select
        document_key,
        lot_key,
        is_synthetic
    from {{ ref('int_campaign__milled') }}
    where document_key is not null
),

paper_lots as (
    select
        document_key,
        min(lot_key) as lot_key,
        min(lot_key) <> max(lot_key) as is_of_several,
        is_synthetic
    from papers
    group by document_key, is_synthetic
),

weighed as (
    select
        haul_key,
        min(lot_key) as lot_key,
        min(lot_key) <> max(lot_key) as is_of_several,
        is_synthetic
    from {{ ref('int_lot__arrivals') }}
    where haul_key is not null
    group by haul_key, is_synthetic
),

found as (
    select
        documents.document_key,
        documents.kind_code,
        documents.part_code,
        documents.first_document_key,
        -- A campaign that names its voucher goes by the lot that the ledger gives it, whatever the voucher calls it.
        case
            when documents.kind_code <> 'MILLING' or coalesce(paper_lots.lot_key = documents.lot_key, true)
                then documents.lot_key
        end as lot_key,
        in_haul.haul_key,
        coalesce(paper_lots.lot_key, weighed.lot_key, hauls.lot_key) as key_lot_key,
        case
            when documents.names_several_subjects then 'SEVERAL_SUBJECTS'
            when
                documents.names_several_lots
                or coalesce(
                    paper_lots.is_of_several,
                    documents.lot_key is null and coalesce(weighed.is_of_several, hauls.names_several_lots),
                    false
                )
                then 'SEVERAL_LOTS'
        end as several_code,
        documents.is_synthetic
    from documents
    left join paper_lots
        on documents.document_key = paper_lots.document_key and documents.is_synthetic = paper_lots.is_synthetic
    left join {{ ref('int_haul__documents') }} as in_haul
        on documents.document_key = in_haul.document_key and documents.is_synthetic = in_haul.is_synthetic
    left join weighed
        on in_haul.haul_key = weighed.haul_key and in_haul.is_synthetic = weighed.is_synthetic
    left join {{ ref('int_haul__lots') }} as hauls
        on in_haul.haul_key = hauls.haul_key and in_haul.is_synthetic = hauls.is_synthetic
),

corrections as (
    select
        first_document_key,
        min(coalesce(lot_key, key_lot_key)) as lot_key,
        is_synthetic
    from found
    where first_document_key is not null and several_code is null
    group by first_document_key, is_synthetic
),

deductions as (
    select
        named.named_document_key as document_key,
        min(coalesce(found.lot_key, found.key_lot_key)) as lot_key,
        named.is_synthetic
    from {{ ref('int_document__references') }} as named
    inner join found
        on named.document_key = found.document_key and named.is_synthetic = found.is_synthetic
    where named.reference_code = 'ADVANCE' and found.several_code is null
    group by named.named_document_key, named.is_synthetic
)

select
    found.document_key,
    found.kind_code,
    found.part_code,
    found.first_document_key,
    found.haul_key,
    case
        when coalesce(found.several_code, firsts.several_code) is null
            then coalesce(
                found.lot_key, found.key_lot_key, firsts.lot_key, firsts.key_lot_key, corrections.lot_key,
                deductions.lot_key
            )
    end as lot_key,
    case
        when coalesce(found.several_code, firsts.several_code) is not null then null
        when found.lot_key is not null then 'NAMED'
        when
            coalesce(
                found.key_lot_key, firsts.lot_key, firsts.key_lot_key, corrections.lot_key, deductions.lot_key
            ) is not null
            then 'KEY'
    end as method_code,
    coalesce(found.several_code, firsts.several_code) as several_code,
    found.is_synthetic
from found
left join found as firsts
    on found.first_document_key = firsts.document_key and found.is_synthetic = firsts.is_synthetic
left join corrections
    on found.document_key = corrections.first_document_key and found.is_synthetic = corrections.is_synthetic
left join deductions
    on found.document_key = deductions.document_key and found.is_synthetic = deductions.is_synthetic
