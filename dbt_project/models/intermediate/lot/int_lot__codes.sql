-- The code that travels (lot_key) of every lot id in partners' papers: one row per party and lot id. SAME, the id is
-- the code that travels. WAYBILL, a waybill or voucher of the same haul or sale names it. SCORED, a heap or a voucher
-- of the same supplier is like it (match_rules, OWN_CODE...), one to one. OWN, nothing tells: the key is the id after
-- the party's key, so that the ids of two plants never collide. Everyone reads lot ids through this table.
with tickets as (
    select
        weighing_party_key as party_key,
        lot_id,
        min(supplier_key) as supplier_key,
        min(invoicing_party_key) as invoicing_party_key,
        min(cast(weighed_in_at as date)) as weighed_date,
        is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current
    group by weighing_party_key, lot_id, is_synthetic
),

sheets as (
    select
        buyer_key as party_key,
        lot_id,
        min(seller_key) as supplier_key,
        min(invoicing_party_key) as invoicing_party_key,
        min(settlement_date) as settlement_date,
        max(settled_dmt) as mass_dmt,
        min(invoice_key) as invoice_key,
        is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current
    group by buyer_key, lot_id, is_synthetic
),

batches as (
    select
        plant_key as party_key,
        lot_id,
        max(mass_dmt) as mass_dmt,
        is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current and lot_id is not null
    group by plant_key, lot_id, is_synthetic
),

certificates as (
    select distinct
        laboratory_key as party_key,
        lot_id,
        requester_key,
        is_synthetic
    from {{ ref('stg_partner_assays__certificates') }}
    where is_current
),

used as (
    select party_key, lot_id, is_synthetic from tickets
    union
    select party_key, lot_id, is_synthetic from sheets
    union
    select party_key, lot_id, is_synthetic from batches
    union
    select party_key, lot_id, is_synthetic from certificates
    union
    select
        exporter_key as party_key,
        lot_id,
        is_synthetic
    from {{ ref('stg_partner_exports__lines') }}
    where is_current and lot_id is not null
),

told as (
    select
        used.*,
        forms.lot_kind_code,
        coalesce(forms.is_travelling, false) as is_travelling
    from used
    left join {{ ref('int_lot__code_forms') }} as forms on {{ masked('used.lot_id') }} = forms.masked_code
),

-- Ids of a party's own, but for those that laboratories repeat from their clients.
own as (
    select
        told.party_key,
        told.lot_id,
        coalesce(tickets.supplier_key, sheets.supplier_key) as supplier_key,
        coalesce(tickets.invoicing_party_key, sheets.invoicing_party_key) as invoicing_party_key,
        coalesce(tickets.weighed_date, sheets.settlement_date) as first_date,
        coalesce(batches.mass_dmt, sheets.mass_dmt) as mass_dmt,
        sheets.invoice_key,
        told.is_synthetic
    from told
    left join tickets
        on
            told.party_key = tickets.party_key
            and told.lot_id = tickets.lot_id
            and told.is_synthetic = tickets.is_synthetic
    left join sheets
        on
            told.party_key = sheets.party_key
            and told.lot_id = sheets.lot_id
            and told.is_synthetic = sheets.is_synthetic
    left join batches
        on
            told.party_key = batches.party_key
            and told.lot_id = batches.lot_id
            and told.is_synthetic = batches.is_synthetic
    where
        not told.is_travelling
        and (tickets.lot_id is not null or sheets.lot_id is not null or batches.lot_id is not null)
),

weighed as (
    select
        tickets.weighing_party_key as party_key,
        tickets.lot_id,
        min(hauls.lot_key) as lot_key,
        tickets.is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join {{ ref('int_ticket__hauls') }} as links
        on
            tickets.weighing_party_key = links.weighing_party_key
            and tickets.ticket_id = links.ticket_id
            and tickets.is_synthetic = links.is_synthetic
    inner join {{ ref('int_haul__lots') }} as hauls
        on links.haul_key = hauls.haul_key and links.is_synthetic = hauls.is_synthetic
    where tickets.is_current
    group by tickets.weighing_party_key, tickets.lot_id, tickets.is_synthetic
),

by_paper as (
    select
        own.party_key,
        own.lot_id,
        coalesce(weighed.lot_key, vouchers.lot_key, hauls.lot_key) as lot_key,
        own.is_synthetic
    from own
    left join weighed
        on
            own.party_key = weighed.party_key
            and own.lot_id = weighed.lot_id
            and own.is_synthetic = weighed.is_synthetic
    left join {{ ref('int_document__classified') }} as vouchers
        on own.invoice_key = vouchers.document_key and own.is_synthetic = vouchers.is_synthetic
    left join {{ ref('int_haul__documents') }} as sold
        on own.invoice_key = sold.document_key and own.is_synthetic = sold.is_synthetic
    left join {{ ref('int_haul__lots') }} as hauls
        on sold.haul_key = hauls.haul_key and sold.is_synthetic = hauls.is_synthetic
    where coalesce(weighed.lot_key, vouchers.lot_key, hauls.lot_key) is not null
),

-- Lots whose arrival is known already.
arrived as (
    select lot_key, is_synthetic from by_paper
    union
    select
        told.lot_id as lot_key,
        told.is_synthetic
    from told
    inner join tickets
        on
            told.party_key = tickets.party_key
            and told.lot_id = tickets.lot_id
            and told.is_synthetic = tickets.is_synthetic
    where told.is_travelling
    union
    select
        told.lot_id as lot_key,
        told.is_synthetic
    from told
    inner join sheets
        on
            told.party_key = sheets.party_key
            and told.lot_id = sheets.lot_id
            and told.is_synthetic = sheets.is_synthetic
    where told.is_travelling
),

-- A load is its collector's, or his who bought it from him.
heaps as (
    select
        lot_id as lot_key,
        plant_key as supplier_key,
        ended_date,
        mass_dmt,
        is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current and contract_kind_code = 'MEZCLA' and line_kind_code = 'PRODUCTO' and lot_id is not null
),

resold as (
    select distinct
        lot_key,
        buyer_key,
        is_synthetic
    from {{ ref('int_document__classified') }}
    where kind_code = 'ORE_BETWEEN_COLLECTORS' and part_code = 'SALE' and lot_key is not null
),

candidates as (
    select
        'OWN_CODE' as match_code,
        lot_key,
        supplier_key,
        ended_date as seen_date,
        mass_dmt,
        cast(null as varchar) as biller_key,
        is_synthetic
    from heaps

    union all

    select
        'OWN_CODE' as match_code,
        heaps.lot_key,
        resold.buyer_key as supplier_key,
        heaps.ended_date as seen_date,
        heaps.mass_dmt,
        cast(null as varchar) as biller_key,
        heaps.is_synthetic
    from heaps
    inner join resold on heaps.lot_key = resold.lot_key and heaps.is_synthetic = resold.is_synthetic

    union all

    select
        'OWN_CODE_VOUCHER' as match_code,
        lot_key,
        buyer_key as supplier_key,
        issue_date as seen_date,
        cast(null as decimal(14, 6)) as mass_dmt,
        case when kind_code = 'BILLER_FEE' then seller_key end as biller_key,
        is_synthetic
    from {{ ref('int_document__classified') }}
    where
        kind_code in ('BILLER_FEE', 'LABORATORY', 'CONCESSION_FEE')
        and lot_kind_code = 'LOAD'
        and part_code = 'SALE'
),

free_candidates as (
    select candidates.*
    from candidates
    left join arrived on candidates.lot_key = arrived.lot_key and candidates.is_synthetic = arrived.is_synthetic
    where arrived.lot_key is null
),

free_own as (
    select own.*
    from own
    left join by_paper
        on
            own.party_key = by_paper.party_key
            and own.lot_id = by_paper.lot_id
            and own.is_synthetic = by_paper.is_synthetic
    where by_paper.lot_key is null
),

likenesses as (
    select
        free_own.party_key,
        free_own.lot_id,
        candidates.lot_key,
        free_own.is_synthetic,
        case
            when candidates.match_code = 'OWN_CODE'
                then {{ days_between('candidates.seen_date', 'free_own.first_date') }}
            else {{ days_between('free_own.first_date', 'candidates.seen_date') }}
        end as lag_days,
        {{ nearness('free_own.mass_dmt', 'candidates.mass_dmt', 'rule.mass_tolerance_frac') }} as mass_nearness,
        case when free_own.invoicing_party_key = candidates.biller_key then 1 else 0 end as same_party,
        rule.*
    from free_own
    inner join free_candidates as candidates
        on free_own.supplier_key = candidates.supplier_key and free_own.is_synthetic = candidates.is_synthetic
    inner join {{ ref('match_rules') }} as rule on candidates.match_code = rule.match_code
),

pairs as (
    select
        party_key,
        lot_id,
        lot_key,
        is_synthetic,
        cast(max(score) as decimal(5, 4)) as score,
        md5(concat(party_key, lot_id, lot_key)) as tie
    from (
        select
            *,
            {{ steady(
                'date_weight * ' ~ date_nearness('lag_days') ~ ' + mass_weight * coalesce(mass_nearness, 0)'
                ~ ' + party_weight * same_party'
            ) }} as score
        from likenesses
        where lag_days between -days_before and days_after and coalesce(mass_nearness, 0) >= 0
    ) as scored
    where score >= least_score
    group by party_key, lot_id, lot_key, is_synthetic
),

{{ one_to_one('scored', 'pairs', ['party_key', 'lot_id', 'is_synthetic'], ['lot_key', 'is_synthetic']) }},

mapped as (
    select
        own.party_key,
        own.lot_id,
        coalesce(by_paper.lot_key, scored.lot_key, concat(own.party_key, '-', own.lot_id)) as lot_key,
        case
            when by_paper.lot_key is not null then 'WAYBILL'
            when scored.lot_key is not null then 'SCORED'
            else 'OWN'
        end as method_code,
        case when by_paper.lot_key is not null then cast(1 as decimal(5, 4)) else scored.score end as match_score,
        own.supplier_key,
        own.is_synthetic
    from own
    left join by_paper
        on
            own.party_key = by_paper.party_key
            and own.lot_id = by_paper.lot_id
            and own.is_synthetic = by_paper.is_synthetic
    left join scored
        on
            own.party_key = scored.party_key
            and own.lot_id = scored.lot_id
            and own.is_synthetic = scored.is_synthetic
),

-- A laboratory repeats its client's id: a plant's, or that of the plant to which the client sold.
repeated as (
    select
        certificates.party_key,
        certificates.lot_id,
        min(mapped.lot_key) as lot_key,
        min(mapped.method_code) as method_code,
        min(mapped.match_score) as match_score,
        certificates.is_synthetic
    from certificates
    inner join mapped
        on
            certificates.lot_id = mapped.lot_id
            and certificates.is_synthetic = mapped.is_synthetic
            and certificates.requester_key in (mapped.party_key, mapped.supplier_key)
    group by certificates.party_key, certificates.lot_id, certificates.is_synthetic
    having min(mapped.lot_key) = max(mapped.lot_key)
)

select
    told.party_key,
    told.lot_id,
    case
        when told.is_travelling then told.lot_id
        else coalesce(mapped.lot_key, repeated.lot_key, concat(told.party_key, '-', told.lot_id))
    end as lot_key,
    coalesce(told.lot_kind_code, 'LOAD') as lot_kind_code,
    case
        when told.is_travelling then 'SAME'
        else coalesce(mapped.method_code, repeated.method_code, 'OWN')
    end as method_code,
    case
        when told.is_travelling then cast(1 as decimal(5, 4))
        else coalesce(mapped.match_score, repeated.match_score)
    end as match_score,
    told.is_synthetic
from told
left join mapped
    on
        told.party_key = mapped.party_key
        and told.lot_id = mapped.lot_id
        and told.is_synthetic = mapped.is_synthetic
left join repeated
    on
        told.party_key = repeated.party_key
        and told.lot_id = repeated.lot_id
        and told.is_synthetic = repeated.is_synthetic
