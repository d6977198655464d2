-- The haul that each weigh ticket weighed: by the waybills that it names, else by a waybill to the same scale that
-- names the ticket's lot, else by likeness (match_rules, TICKET_WAYBILL). Tickets at the pit have no waybill.
with tickets as (
    select
        tickets.*,
        cast(tickets.weighed_in_at as date) as weighed_date,
        forms.is_travelling
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    left join {{ ref('int_lot__code_forms') }} as forms
        on {{ masked('tickets.lot_id') }} = forms.masked_code
    where tickets.is_current and coalesce(forms.lot_kind_code, 'LOAD') <> 'PIT'
),

hauls as (
    select
        hauls.haul_key,
        hauls.lot_key,
        waybills.buyer_key as receiver_key,
        coalesce(waybills.sender_key, waybills.issuer_key) as sender_key,
        coalesce(waybills.carrier_key, case when waybills.kind_code = 'WAYBILL_CARRIER' then waybills.issuer_key end)
            as carrier_key,
        waybills.plate_key,
        waybills.gross_weight_kg,
        coalesce(waybills.transfer_start_date, waybills.issue_date) as start_date,
        hauls.is_synthetic
    from {{ ref('int_haul__lots') }} as hauls
    inner join {{ ref('int_document__classified') }} as waybills
        on hauls.haul_key = waybills.document_key and hauls.is_synthetic = waybills.is_synthetic
),

waybills as (
    select
        document_key,
        haul_key,
        is_synthetic
    from {{ ref('int_haul__documents') }}
    where kind_code in ('WAYBILL_SENDER', 'WAYBILL_CARRIER')
),

-- A waybill that is not in the files is known by its key alone.
by_key as (
    select
        tickets.weighing_party_key,
        tickets.ticket_id,
        coalesce(sent.haul_key, carried.haul_key, tickets.sender_waybill_key, tickets.carrier_waybill_key) as haul_key,
        tickets.is_synthetic
    from tickets
    left join waybills as sent
        on tickets.sender_waybill_key = sent.document_key and tickets.is_synthetic = sent.is_synthetic
    left join waybills as carried
        on tickets.carrier_waybill_key = carried.document_key and tickets.is_synthetic = carried.is_synthetic
    where tickets.sender_waybill_key is not null or tickets.carrier_waybill_key is not null
),

free_tickets as (
    select tickets.*
    from tickets
    where tickets.sender_waybill_key is null and tickets.carrier_waybill_key is null
),

free_hauls as (
    select hauls.*
    from hauls
    left join by_key on hauls.haul_key = by_key.haul_key and hauls.is_synthetic = by_key.is_synthetic
    where by_key.haul_key is null
),

by_name as (
    select
        free_tickets.weighing_party_key,
        free_tickets.ticket_id,
        min(free_hauls.haul_key) as haul_key,
        free_tickets.is_synthetic
    from free_tickets
    inner join free_hauls
        on
            free_tickets.weighing_party_key = free_hauls.receiver_key
            and free_tickets.lot_id = free_hauls.lot_key
            and free_tickets.is_synthetic = free_hauls.is_synthetic
    group by free_tickets.weighing_party_key, free_tickets.ticket_id, free_tickets.is_synthetic
),

rule as (
    select * from {{ ref('match_rules') }}
    where match_code = 'TICKET_WAYBILL'
),

-- Blocked by scale and week: a haul stands in every week in which its ticket may fall.
weeks as (
    select
        free_hauls.*,
        {{ weeks_from('free_hauls.start_date - rule.days_before', 'free_hauls.start_date + rule.days_after') }} as week
    from free_hauls
    cross join rule
    left join by_name
        on free_hauls.haul_key = by_name.haul_key and free_hauls.is_synthetic = by_name.is_synthetic
    where by_name.haul_key is null
),

likenesses as (
    select
        free_tickets.weighing_party_key,
        free_tickets.ticket_id,
        weeks.haul_key,
        free_tickets.is_synthetic,
        {{ days_between('weeks.start_date', 'free_tickets.weighed_date') }} as lag_days,
        {{ nearness('free_tickets.net_kg', 'weeks.gross_weight_kg', 'rule.mass_tolerance_frac') }} as mass_nearness,
        case when free_tickets.plate_key = weeks.plate_key then 1 else 0 end as same_plate,
        case when free_tickets.carrier_key = weeks.carrier_key then 1 else 0 end as same_carrier,
        case
            when weeks.sender_key in (free_tickets.supplier_key, free_tickets.invoicing_party_key) then 1 else 0
        end as same_party,
        rule.*
    from free_tickets
    cross join rule
    inner join weeks
        on
            free_tickets.weighing_party_key = weeks.receiver_key
            and {{ week_of('free_tickets.weighed_date') }} = weeks.week
            and free_tickets.is_synthetic = weeks.is_synthetic
    left join by_name
        on
            free_tickets.weighing_party_key = by_name.weighing_party_key
            and free_tickets.ticket_id = by_name.ticket_id
            and free_tickets.is_synthetic = by_name.is_synthetic
    where
        by_name.ticket_id is null
        and (weeks.lot_key is null or not coalesce(free_tickets.is_travelling, false))
),

pairs as (
    select
        weighing_party_key,
        ticket_id,
        haul_key,
        is_synthetic,
        cast(score as decimal(5, 4)) as score,
        md5(concat(ticket_id, haul_key)) as tie
    from (
        select
            *,
            {{ steady(
                'date_weight * ' ~ date_nearness('lag_days') ~ ' + mass_weight * mass_nearness'
                ~ ' + plate_weight * same_plate + carrier_weight * same_carrier + party_weight * same_party'
            ) }} as score
        from likenesses
        where lag_days between -days_before and days_after and mass_nearness >= 0
    ) as scored
    where score >= least_score
),

{{ one_to_one('scored', 'pairs', ['weighing_party_key', 'ticket_id', 'is_synthetic'], ['haul_key', 'is_synthetic']) }}

select
    weighing_party_key,
    ticket_id,
    haul_key,
    'KEY' as method_code,
    cast(1 as decimal(5, 4)) as match_score,
    is_synthetic
from by_key

union all

select
    weighing_party_key,
    ticket_id,
    haul_key,
    'NAMED' as method_code,
    cast(1 as decimal(5, 4)) as match_score,
    is_synthetic
from by_name

union all

select
    weighing_party_key,
    ticket_id,
    haul_key,
    'SCORED' as method_code,
    score as match_score,
    is_synthetic
from scored
