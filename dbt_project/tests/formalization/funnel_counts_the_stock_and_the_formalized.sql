-- By month, eligible registrations are those in the registry's stock and those that left it with the authorisation;
-- none is lost or counted twice, whatever the milestone.
with funnel as (
    select
        month,
        is_synthetic,
        milestone_code,
        sum(eligible_registration_count) as eligible_count
    from {{ ref('mart_formalization_funnel') }}
    group by month, is_synthetic, milestone_code
),

stocks as (
    select
        month,
        is_synthetic,
        sum(stock_end) as stock_count
    from {{ ref('mart_registry_stock_flow') }}
    group by month, is_synthetic
),

formalized as (
    select
        stocks.month,
        stocks.is_synthetic,
        count(reached.registration_key) as formalized_count
    from stocks
    left join {{ ref('int_formalization__reached') }} as reached
        on
            stocks.is_synthetic = reached.is_synthetic
            and reached.milestone_code = 'AUTORIZACION'
            and reached.reached_by_date <= last_day(stocks.month)
    left join {{ ref('int_registry__month_ends') }} as states
        on
            stocks.month = states.month
            and stocks.is_synthetic = states.is_synthetic
            and reached.registration_key = states.registration_key
    where coalesce(states.registry_state, 'AUSENTE') = 'AUSENTE'
    group by stocks.month, stocks.is_synthetic
)

select
    stocks.month,
    stocks.is_synthetic,
    funnel.milestone_code,
    funnel.eligible_count,
    stocks.stock_count,
    formalized.formalized_count
from stocks
left join formalized on stocks.month = formalized.month and stocks.is_synthetic = formalized.is_synthetic
left join funnel on stocks.month = funnel.month and stocks.is_synthetic = funnel.is_synthetic
where coalesce(funnel.eligible_count, -1) <> stocks.stock_count + coalesce(formalized.formalized_count, 0)
