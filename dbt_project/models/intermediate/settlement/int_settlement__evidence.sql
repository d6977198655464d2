-- What others say about each settlement sheet: the mass of the buyer's weigh tickets of the lot, the first of them and
-- the waybill on it, the newest certificate of each party, the grades that their exchange gives under the sheet's own
-- rule, the price of its quotational period, and the rates of the day. One row per sheet; null where nobody says
-- anything. Copper has the splitting limit; other grades are the means of both parties'. A provisional sheet stands on
-- the seller's assay, and on the latest price: the mean of its contract's months is known when the final one is made.
{% set grades = settled_grades() %}
{% set parties = {'buyer': 'COMPRADOR', 'seller': 'VENDEDOR', 'umpire': 'DIRIMENTE'} %}
with sheets as (
    select
        *,
        case when stage_code <> 'PROVISIONAL' then quotational_period_code end as settled_period_code
    from {{ ref('int_settlement__sheets_valued') }}
),

weighings as (
    select
        tickets.*,
        {{ repetition_of_weighing('tickets.lot_id') }} as repetition
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    where tickets.is_current
),

tickets as (
    select
        weighing_party_key,
        lot_id,
        is_synthetic,
        ticket_id,
        cast(weighed_in_at as date) as delivered_date,
        sender_waybill_key,
        cast(sum(net_kg) over (partition by weighing_party_key, lot_id, is_synthetic) * 0.001 as decimal(18, 6))
            as ticket_wmt,
        row_number() over (
            partition by weighing_party_key, lot_id, is_synthetic order by weighed_in_at, ticket_id
        ) as ticket_number
    from weighings
    where repetition = 1
),

waybills as (
    select
        document_key,
        is_synthetic,
        transfer_start_date
    from {{ ref('stg_sunat_documents__documents') }}
    where is_current and document_type_code = '09' and transfer_start_date is not null
),

certificates as (
    select
        sheets.buyer_key,
        sheets.settlement_id,
        sheets.is_synthetic,
        assays.laboratory_key,
        assays.requested_by_code,
        assays.moisture_pct,
        {% for grade in grades %}
            assays.{{ grade }},
        {% endfor %}
        row_number() over (
            partition by sheets.buyer_key, sheets.settlement_id, sheets.is_synthetic, assays.requested_by_code
            order by assays.certificate_date desc, assays.certificate_id desc, assays.laboratory_key asc
        ) as certificate_number
    from sheets
    inner join {{ ref('stg_partner_assays__certificates') }} as assays
        on
            sheets.lot_id = assays.lot_id
            and sheets.is_synthetic = assays.is_synthetic
            and assays.is_current
            and coalesce(assays.requester_key, sheets.buyer_key) in (sheets.buyer_key, sheets.seller_key)
),

assayed as (
    select
        buyer_key,
        settlement_id,
        {% for party, code in parties.items() %}
            max(moisture_pct) filter (where requested_by_code = '{{ code }}') as {{ party }}_moisture_pct,
            {% for grade in grades %}
                max({{ grade }}) filter (where requested_by_code = '{{ code }}') as {{ party }}_{{ grade }},
            {% endfor %}
        {% endfor %}
        max(laboratory_key) filter (where requested_by_code = 'COMPRADOR') as buyer_laboratory_key,
        is_synthetic
    from certificates
    where certificate_number = 1
    group by buyer_key, settlement_id, is_synthetic
)

select
    sheets.buyer_key,
    sheets.settlement_id,
    sheets.stage_code,
    tickets.ticket_id,
    tickets.ticket_wmt,
    tickets.delivered_date,
    waybills.transfer_start_date as departed_date,
    assayed.buyer_laboratory_key,
    {% for party in parties %}
        assayed.{{ party }}_cu_pct,
    {% endfor %}
    case sheets.stage_code
        when 'PROVISIONAL' then coalesce(assayed.seller_cu_pct, assayed.buyer_cu_pct)
        else {{ exchanged_grade(
            'assayed.buyer_cu_pct', 'assayed.seller_cu_pct', 'assayed.umpire_cu_pct', 'sheets.splitting_limit_pct',
            'sheets.umpire_rule_code'
        ) }}
    end as agreed_cu_pct,
    {% for grade in ['moisture_pct'] + (grades | reject('equalto', 'cu_pct') | list) %}
        case sheets.stage_code
            when 'PROVISIONAL' then coalesce(assayed.seller_{{ grade }}, assayed.buyer_{{ grade }})
            else {{ mean_grade('assayed.buyer_' ~ grade, 'assayed.seller_' ~ grade) }}
        end as agreed_{{ grade }},
    {% endfor %}
    -- As sheets show prices: to the cent.
    cast(
        round(
            case
                when sheets.quotational_period_code = 'DIA' then days.copper_usd_per_t else period.copper_usd_per_t
            end, 2
        ) as decimal(14, 4)
    ) as quoted_copper_usd_per_t,
    cast(round(period.silver_usd_per_oz, 2) as decimal(14, 4)) as quoted_silver_usd_per_oz,
    cast(round(period.gold_usd_per_oz, 2) as decimal(14, 4)) as quoted_gold_usd_per_oz,
    delivered.quotation_month as delivered_quotation_month,
    {% for metal in ['copper_usd_per_t', 'silver_usd_per_oz', 'gold_usd_per_oz'] %}
        cast(round(delivered.{{ metal }}, 2) as decimal(14, 4)) as delivered_{{ metal }},
    {% endfor %}
    igv.rate_pct as igv_rate_pct,
    spot.rate_pct as spot_rate_pct,
    -- Goods of the deposit's first annex have it before they travel; what has no waybill has travelled when weighed. A
    -- final sheet's deposit is on a balance that is invoiced when the goods have long arrived.
    coalesce(travel.annex = 1, false) and sheets.stage_code <> 'FINAL' as is_deposit_before_transport,
    sheets.is_synthetic
from sheets
left join tickets
    on
        sheets.buyer_key = tickets.weighing_party_key
        and sheets.lot_id = tickets.lot_id
        and sheets.is_synthetic = tickets.is_synthetic
        and tickets.ticket_number = 1
left join waybills
    on tickets.sender_waybill_key = waybills.document_key and tickets.is_synthetic = waybills.is_synthetic
left join assayed
    on {{ same_sheet('sheets', 'assayed') }}
-- A month's mean is no price of a day.
left join {{ ref('int_price__daily') }} as days
    on
        sheets.settlement_date = days.price_date
        and sheets.is_synthetic = days.is_synthetic
        and days.copper_basis_code in ('DAILY', 'CARRIED')
left join {{ ref('int_price__quotational') }} as period
    on
        sheets.settled_period_code = period.quotational_period_code
        and sheets.quotation_month = period.quotation_month
        and sheets.is_synthetic = period.is_synthetic
left join {{ ref('int_price__quotational') }} as delivered
    on
        sheets.settled_period_code = delivered.quotational_period_code
        and cast(date_trunc('month', tickets.delivered_date) as date) = delivered.delivery_month
        and sheets.is_synthetic = delivered.is_synthetic
left join {{ ref('ref_igv_rate') }} as igv
    on {{ is_in_force('sheets.settlement_date', 'igv') }}
left join {{ ref('ref_spot_good') }} as goods
    on sheets.product_form_code = goods.product_form_code
left join {{ ref('ref_spot_rate') }} as spot
    on goods.detraction_code = spot.detraction_code and {{ is_in_force('sheets.settlement_date', 'spot') }}
left join {{ ref('ref_spot_rate') }} as travel
    on
        goods.detraction_code = travel.detraction_code
        and {{ is_in_force('coalesce(waybills.transfer_start_date, tickets.delivered_date)', 'travel') }}
