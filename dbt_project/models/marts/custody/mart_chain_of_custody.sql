{{ config(meta={'trace': {'parent': 'int_custody__pieces', 'on': ['scope_code', 'batch_key', 'is_synthetic']}}) }}
-- Custody of every export declaration and of every plant's month: how much of the copper papers follow back to a
-- producer, and in which state of the registry his registration and the one on the papers stood on the day of the
-- waybill. These are facts of papers and registry; they say nothing of anybody's intent.
with totals as (
    select
        scope_code,
        batch_key,
        max(party_key) as party_key,
        max(month) as month,
        count(*) as lot_count,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_custody__batches') }}
    group by scope_code, batch_key, is_synthetic
),

sums as (
    select
        scope_code,
        batch_key,
        sum(case when class_code = 'GOOD_STANDING' then copper_g else 0 end) as good_standing_g,
        sum(case when class_code = 'NO_GOOD_STANDING' then copper_g else 0 end) as no_good_standing_g,
        sum(case when class_code = 'BLEND_DIFFERS' then copper_g else 0 end) as blend_differs_g,
        sum(case when class_code = 'OTHERS_REGISTRATION' then copper_g else 0 end) as others_registration_g,
        sum(case when class_code = 'NOT_TOLD' then copper_g else 0 end) as not_told_g,
        sum(case when class_code = 'NOT_TRACED' then copper_g else 0 end) as not_traced_g,
        sum(case when class_code = 'NO_GOOD_STANDING' and own_state = 'SUSPENDIDO' then copper_g else 0 end)
            as suspended_g,
        sum(case when class_code = 'NO_GOOD_STANDING' and own_state = 'EXCLUIDO' then copper_g else 0 end)
            as excluded_g,
        sum(case when class_code = 'NO_GOOD_STANDING' and own_state = 'AUSENTE' then copper_g else 0 end) as absent_g,
        sum(
            case
                when class_code = 'NO_GOOD_STANDING' and own_state in ('NO_INSCRITO', 'NO_FIGURA') then copper_g
                else 0
            end
        ) as not_in_registry_g,
        sum(case when own_standing_code = 'GOOD' then copper_g else 0 end) as own_good_g,
        sum(case when paper_standing_code = 'GOOD' then copper_g else 0 end) as paper_good_g,
        sum(case when may_differ then copper_g else 0 end) as may_differ_g,
        count(distinct producer_key) as operator_count,
        count(distinct paper_registration_key) as registration_count,
        count(distinct document_key) as waybill_count,
        min(custody_date) as first_waybill_date,
        max(custody_date) as last_waybill_date,
        is_synthetic
    from {{ ref('int_custody__pieces') }}
    group by scope_code, batch_key, is_synthetic
)

select
    totals.scope_code,
    totals.batch_key,
    totals.party_key,
    cast(totals.month as date) as month,
    totals.lot_count,
    cast(totals.copper_g as bigint) as copper_g,
    cast(sums.good_standing_g as bigint) as good_standing_g,
    cast(sums.no_good_standing_g as bigint) as no_good_standing_g,
    cast(sums.blend_differs_g as bigint) as blend_differs_g,
    cast(sums.others_registration_g as bigint) as others_registration_g,
    cast(sums.not_told_g as bigint) as not_told_g,
    cast(sums.not_traced_g as bigint) as not_traced_g,
    cast(sums.suspended_g as bigint) as suspended_g,
    cast(sums.excluded_g as bigint) as excluded_g,
    cast(sums.absent_g as bigint) as absent_g,
    cast(sums.not_in_registry_g as bigint) as not_in_registry_g,
    cast(sums.own_good_g as bigint) as own_good_g,
    cast(sums.paper_good_g as bigint) as paper_good_g,
    cast(sums.may_differ_g as bigint) as may_differ_g,
    {{ share('sums.good_standing_g', 'totals.copper_g') }} as good_standing_of_copper_frac,
    {{ share('sums.no_good_standing_g', 'totals.copper_g') }} as no_good_standing_of_copper_frac,
    {{ share('sums.blend_differs_g', 'totals.copper_g') }} as blend_differs_of_copper_frac,
    {{ share('sums.others_registration_g', 'totals.copper_g') }} as others_registration_of_copper_frac,
    {{ share('sums.not_told_g', 'totals.copper_g') }} as not_told_of_copper_frac,
    {{ share('sums.not_traced_g', 'totals.copper_g') }} as not_traced_of_copper_frac,
    sums.operator_count,
    sums.registration_count,
    sums.waybill_count,
    sums.first_waybill_date,
    sums.last_waybill_date,
    cast(balances.copper_in_g as bigint) as copper_in_g,
    cast(balances.copper_out_g as bigint) as copper_out_g,
    cast(balances.tailings_g as bigint) as tailings_g,
    cast(balances.process_stock_growth_g as bigint) as process_stock_growth_g,
    cast(balances.ore_stock_growth_g as bigint) as ore_stock_growth_g,
    cast(balances.closure_g as bigint) as closure_g,
    {{ share('balances.closure_g', 'balances.copper_in_g') }} as closure_of_copper_in_frac,
    totals.is_synthetic
from totals
inner join sums
    on
        totals.scope_code = sums.scope_code
        and totals.batch_key = sums.batch_key
        and totals.is_synthetic = sums.is_synthetic
left join {{ ref('int_custody__balances') }} as balances
    on
        totals.scope_code = balances.scope_code
        and totals.batch_key = balances.batch_key
        and totals.is_synthetic = balances.is_synthetic
order by totals.is_synthetic, totals.scope_code, totals.batch_key
