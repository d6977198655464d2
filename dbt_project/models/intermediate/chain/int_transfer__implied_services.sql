-- Services that partners' papers imply: one row per kind and lot. What arrived was carried, and counts once: at its
-- buyer's scale, else at the last. Who invoices for another takes a fee, but for a buyer who issues the purchase
-- settlement himself; an operator who sells owes his concession's holder (why_code POSSIBLE where nothing says so: a
-- candidate for vouchers, not an expectation); a toll campaign owes the mill; who had a lot assayed as its seller owes
-- the laboratory.
with goods as (
    select * from {{ ref('int_transfer__implied_goods') }}
),

arrivals as (
    select *
    from (
        select
            arrivals.*,
            goods.payer_key as buyer_key,
            row_number() over (
                partition by arrivals.lot_key, arrivals.is_synthetic
                order by
                    case arrivals.receiver_key when goods.payer_key then 1 when goods.payee_key then 3 else 2 end,
                    arrivals.arrived_date desc,
                    arrivals.receiver_key asc
            ) as choice
        from {{ ref('int_lot__arrivals') }} as arrivals
        left join goods
            on
                arrivals.lot_key = goods.lot_key
                and arrivals.is_synthetic = goods.is_synthetic
                and goods.kind_code in ('ORE_AT_PLANT', 'CONCENTRATE')
        where arrivals.lot_kind_code <> 'PIT'
    ) as weighed
    where choice = 1
),

sheets as (
    select * from {{ ref('int_settlement__sales') }}
),

pit_vouchers as (
    select
        keyed.lot_key,
        min(documents.value_usd) as value_usd,
        documents.is_synthetic
    from {{ ref('int_document__classified') }} as documents
    inner join {{ ref('int_document__keyed') }} as keyed
        on documents.document_key = keyed.document_key and documents.is_synthetic = keyed.is_synthetic
    where documents.kind_code = 'ORE_AT_PIT' and documents.part_code = 'SALE' and keyed.lot_key is not null
    group by keyed.lot_key, documents.is_synthetic
),

sold_by_operators as (
    select
        goods.*,
        coalesce(goods.sheet_value_usd, pit_vouchers.value_usd) as sale_usd
    from goods
    left join pit_vouchers on goods.lot_key = pit_vouchers.lot_key and goods.is_synthetic = pit_vouchers.is_synthetic
    where
        goods.kind_code = 'ORE_AT_PIT'
        or (goods.kind_code = 'ORE_AT_PLANT' and goods.payee_key = goods.operator_key)
),

-- The registration on the papers may be a lent one: an operator with one holder owes him for all that he sells, by a
-- share that is known where it is the same for all his registrations.
sole as (
    select
        operator_key,
        min(holder_key) as holder_key,
        cast(case when round(min(fee_frac), 3) = round(max(fee_frac), 3) then median(fee_frac) end as decimal(9, 6))
            as fee_frac,
        max(fee_frac) > 0 as is_due,
        min(from_date) as from_date,
        min(why_code) as why_code,
        is_synthetic
    from {{ ref('int_contract__fees') }}
    group by operator_key, is_synthetic
    having min(holder_key) = max(holder_key)
),

agreed as (
    select
        operator_key,
        reinfo_key,
        is_synthetic,
        min_by(holder_key, concat(why_code, holder_key)) as holder_key,
        min_by(fee_frac, concat(why_code, holder_key)) as fee_frac,
        min_by(from_date, concat(why_code, holder_key)) as from_date,
        min(why_code) as why_code
    from {{ ref('int_contract__fees') }}
    group by operator_key, reinfo_key, is_synthetic
),

owed as (
    select
        sales.*,
        coalesce(agreed.holder_key, sole.holder_key) as holder_key,
        case when agreed.holder_key is not null then agreed.fee_frac else sole.fee_frac end as fee_frac,
        coalesce(agreed.why_code, sole.why_code) as fee_why_code,
        coalesce(coalesce(agreed.from_date, sole.from_date, sales.expected_date) <= sales.expected_date, false)
        and coalesce(agreed.fee_frac > 0, sole.is_due, false) as is_owed
    from sold_by_operators as sales
    left join agreed
        on
            sales.operator_key = agreed.operator_key
            and sales.reinfo_key = agreed.reinfo_key
            and sales.is_synthetic = agreed.is_synthetic
    left join sole on sales.operator_key = sole.operator_key and sales.is_synthetic = sole.is_synthetic
),

assayed as (
    select
        codes.lot_key,
        certificates.is_synthetic,
        min_by(certificates.laboratory_key, certificates.certificate_id) as laboratory_key,
        min_by(certificates.requester_key, certificates.certificate_id) as requester_key,
        min(certificates.certificate_date) as certificate_date
    from {{ ref('stg_partner_assays__certificates') }} as certificates
    inner join {{ ref('int_lot__codes') }} as codes
        on
            certificates.laboratory_key = codes.party_key
            and certificates.lot_id = codes.lot_id
            and certificates.is_synthetic = codes.is_synthetic
    where
        certificates.is_current
        and certificates.requested_by_code = 'VENDEDOR'
        and certificates.requester_key <> certificates.laboratory_key
    group by codes.lot_key, certificates.is_synthetic
),

umpired as (
    select
        codes.lot_key,
        certificates.is_synthetic,
        count(distinct certificates.requested_by_code) as assay_count
    from {{ ref('stg_partner_assays__certificates') }} as certificates
    inner join {{ ref('int_lot__codes') }} as codes
        on
            certificates.laboratory_key = codes.party_key
            and certificates.lot_id = codes.lot_id
            and certificates.is_synthetic = codes.is_synthetic
    where certificates.is_current and certificates.requested_by_code <> 'COMPRADOR'
    group by codes.lot_key, certificates.is_synthetic
),

named as (
    select
        documents.kind_code,
        documents.lot_key,
        documents.value_usd,
        documents.is_synthetic
    from {{ ref('int_document__classified') }} as documents
    where
        documents.kind_code in ('LABORATORY', 'BILLER_FEE')
        and documents.part_code = 'SALE'
        and documents.lot_key is not null
),

-- What laboratories and billers usually take, from the vouchers that name their lot.
usual_assays as (
    select
        umpired.assay_count,
        named.is_synthetic,
        cast(median(named.value_usd) as decimal(18, 2)) as value_usd
    from named
    inner join umpired on named.lot_key = umpired.lot_key and named.is_synthetic = umpired.is_synthetic
    where named.kind_code = 'LABORATORY'
    group by umpired.assay_count, named.is_synthetic
),

usual_billing as (
    select
        named.is_synthetic,
        median(named.value_usd / nullif(goods.sheet_value_usd, 0)) as fee_frac
    from named
    inner join goods
        on
            named.lot_key = goods.lot_key
            and named.is_synthetic = goods.is_synthetic
            and goods.kind_code = 'ORE_AT_PLANT'
    where named.kind_code = 'BILLER_FEE' and goods.sheet_value_usd > 0
    group by named.is_synthetic
),

sheet_dates as (
    select
        lot_key,
        is_synthetic,
        min(first_date) as first_date
    from sheets
    group by lot_key, is_synthetic
)

select
    'HAULAGE' as kind_code,
    arrivals.lot_key,
    arrivals.carrier_key as payee_key,
    case when sheets.freight_usd > 0 then sheets.buyer_key else arrivals.supplier_key end as payer_key,
    cast(null as varchar) as invoicing_party_key,
    arrivals.operator_key,
    arrivals.reinfo_key,
    arrivals.arrived_date as expected_date,
    arrivals.product_form_code,
    arrivals.arrived_date as match_date,
    cast(case when sheets.freight_usd > 0 then sheets.freight_usd end as decimal(18, 2)) as match_value_usd,
    case when sheets.freight_usd > 0 then 'FREIGHT' end as sheet_code,
    cast(case when sheets.freight_usd > 0 then sheets.freight_usd end as decimal(18, 2)) as sheet_value_usd,
    case when sheets.freight_usd > 0 then sheets.settlement_id end as sheet_id,
    arrivals.ticket_id,
    arrivals.haul_key,
    case when arrivals.source_code = 'WAYBILL' then 'WAYBILL' else 'ARRIVAL' end as why_code,
    arrivals.is_synthetic
from arrivals
left join sheets
    on
        coalesce(arrivals.buyer_key, arrivals.receiver_key) = sheets.buyer_key
        and arrivals.lot_key = sheets.lot_key
        and arrivals.is_synthetic = sheets.is_synthetic

union all

select
    'BILLER_FEE' as kind_code,
    goods.lot_key,
    goods.invoicing_party_key as payee_key,
    goods.payee_key as payer_key,
    null as invoicing_party_key,
    goods.operator_key,
    goods.reinfo_key,
    goods.expected_date,
    goods.product_form_code,
    goods.match_date,
    cast(goods.sheet_value_usd * usual_billing.fee_frac as decimal(18, 2)) as match_value_usd,
    null as sheet_code,
    null as sheet_value_usd,
    null as sheet_id,
    goods.ticket_id,
    null as haul_key,
    'BILLED_FOR_ANOTHER' as why_code,
    goods.is_synthetic
from goods
left join usual_billing on goods.is_synthetic = usual_billing.is_synthetic
where
    goods.kind_code = 'ORE_AT_PLANT'
    and goods.invoicing_party_key <> goods.payee_key
    and goods.invoicing_party_key <> coalesce(goods.payer_key, '-')

union all

select
    'CONCESSION_FEE' as kind_code,
    lot_key,
    case when is_owed then holder_key end as payee_key,
    operator_key as payer_key,
    null as invoicing_party_key,
    operator_key,
    reinfo_key,
    expected_date,
    product_form_code,
    match_date,
    cast(case when is_owed then fee_frac * sale_usd end as decimal(18, 2)) as match_value_usd,
    null as sheet_code,
    null as sheet_value_usd,
    null as sheet_id,
    ticket_id,
    null as haul_key,
    case when is_owed then fee_why_code else 'POSSIBLE' end as why_code,
    is_synthetic
from owed

union all

select
    'MILLING' as kind_code,
    lot_key,
    plant_key as payee_key,
    owner_key as payer_key,
    null as invoicing_party_key,
    null as operator_key,
    null as reinfo_key,
    ended_date as expected_date,
    null as product_form_code,
    ended_date as match_date,
    toll_usd as match_value_usd,
    case when toll_usd is not null then 'TARIFF' end as sheet_code,
    toll_usd as sheet_value_usd,
    campaign_id as sheet_id,
    null as ticket_id,
    null as haul_key,
    'CAMPAIGN' as why_code,
    is_synthetic
from {{ ref('int_campaign__milled') }}

union all

select
    'LABORATORY' as kind_code,
    assayed.lot_key,
    assayed.laboratory_key as payee_key,
    assayed.requester_key as payer_key,
    null as invoicing_party_key,
    null as operator_key,
    null as reinfo_key,
    coalesce(sheet_dates.first_date, assayed.certificate_date) as expected_date,
    null as product_form_code,
    coalesce(sheet_dates.first_date, assayed.certificate_date) as match_date,
    usual_assays.value_usd as match_value_usd,
    null as sheet_code,
    null as sheet_value_usd,
    null as sheet_id,
    null as ticket_id,
    null as haul_key,
    'ASSAY' as why_code,
    assayed.is_synthetic
from assayed
left join sheet_dates on assayed.lot_key = sheet_dates.lot_key and assayed.is_synthetic = sheet_dates.is_synthetic
left join umpired on assayed.lot_key = umpired.lot_key and assayed.is_synthetic = umpired.is_synthetic
left join usual_assays
    on umpired.assay_count = usual_assays.assay_count and assayed.is_synthetic = usual_assays.is_synthetic
