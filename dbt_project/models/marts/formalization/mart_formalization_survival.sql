-- Time to every milestone, over all and by department: Kaplan-Meier with log-log 95 % intervals (other ends count as
-- censored) and Aalen-Johansen cumulative incidence (they compete). Who comes under observation late is at risk from
-- then on; a spell that ends on or before the day on which it begins to be observed says nothing. Ties are exact.
with spells as (
    select
        milestone_code,
        unnest(['ALL', coalesce(department_code, '--')]) as stratum_code,
        entry_days,
        duration_days,
        end_code,
        is_synthetic
    from {{ ref('int_formalization__spells') }}
    where duration_days > entry_days
),

-- At risk just before a day: who entered before it, less who ended before it.
moves as (
    select
        is_synthetic,
        milestone_code,
        stratum_code,
        entry_days as day_number,
        count(*) as change_count
    from spells
    group by all

    union all

    select
        is_synthetic,
        milestone_code,
        stratum_code,
        duration_days as day_number,
        -count(*) as change_count
    from spells
    group by all
),

balances as (
    select
        is_synthetic,
        milestone_code,
        stratum_code,
        day_number,
        sum(sum(change_count)) over (
            partition by is_synthetic, milestone_code, stratum_code order by day_number
            rows between unbounded preceding and 1 preceding
        ) as at_risk_count
    from moves
    group by is_synthetic, milestone_code, stratum_code, day_number
),

ends as (
    select
        is_synthetic,
        milestone_code,
        stratum_code,
        duration_days,
        count(*) filter (where end_code = 1) as reached_count,
        count(*) filter (where end_code = 2) as excluded_count,
        count(*) filter (where end_code = 3) as withdrawn_count,
        count(*) filter (where end_code > 0) as ended_count
    from spells
    group by is_synthetic, milestone_code, stratum_code, duration_days
),

steps as (
    select
        ends.*,
        cast(balances.at_risk_count as bigint) as at_risk_count,
        product(1 - ends.reached_count * 1.0 / balances.at_risk_count) over days as km_survival_frac,
        sum(
            ends.reached_count * 1.0
            / nullif(balances.at_risk_count * (balances.at_risk_count - ends.reached_count), 0)
        ) over days as greenwood,
        product(1 - ends.ended_count * 1.0 / balances.at_risk_count) over days as all_survival_frac
    from ends
    inner join balances
        on
            ends.is_synthetic = balances.is_synthetic
            and ends.milestone_code = balances.milestone_code
            and ends.stratum_code = balances.stratum_code
            and ends.duration_days = balances.day_number
    where ends.ended_count > 0
    window days as (
        partition by ends.is_synthetic, ends.milestone_code, ends.stratum_code order by ends.duration_days
    )
),

weighted as (
    select
        *,
        lag(all_survival_frac, 1, 1.0) over (
            partition by is_synthetic, milestone_code, stratum_code order by duration_days
        ) / at_risk_count as weight
    from steps
)

select
    milestone_code,
    stratum_code,
    duration_days,
    at_risk_count,
    reached_count,
    excluded_count,
    withdrawn_count,
    km_survival_frac,
    case
        when km_survival_frac between 1e-12 and 1 - 1e-12
            then km_survival_frac ^ exp(-1.959963984540054 * sqrt(greenwood) / ln(km_survival_frac))
    end as km_lower_frac,
    case
        when km_survival_frac between 1e-12 and 1 - 1e-12
            then km_survival_frac ^ exp(1.959963984540054 * sqrt(greenwood) / ln(km_survival_frac))
    end as km_upper_frac,
    sum(weight * reached_count) over days as reached_incidence_frac,
    sum(weight * excluded_count) over days as excluded_incidence_frac,
    sum(weight * withdrawn_count) over days as withdrawn_incidence_frac,
    all_survival_frac,
    is_synthetic
from weighted
window days as (partition by is_synthetic, milestone_code, stratum_code order by duration_days)
order by is_synthetic, milestone_code, stratum_code, duration_days
