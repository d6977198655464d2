-- Suspended registrations by month, department and age of the suspension: how many stood suspended at the month's end,
-- and what became during the month of those who had stood suspended at the end of the month before (at risk): cured,
-- or gone (excluded, or absent from whole files). Ages count from the first file that shows the suspension; a lower
-- bound (`is_at_least`) is kept apart. Bounds of the ages: seed registry_suspension_ages.
{% set since = 'suspensions.suspended_from' %}
with month_ends as (
    select
        *,
        cast(month + interval 1 month - interval 1 day as date) as month_end
    from {{ ref('int_registry__month_ends') }}
),

standing as (
    select
        month_ends.month,
        month_ends.registration_key,
        coalesce(month_ends.department_code, '--') as department_code,
        ages.age_code,
        suspensions.is_at_least,
        suspensions.suspended_from,
        suspensions.ended_on,
        month_ends.is_synthetic
    from month_ends
    inner join {{ ref('int_registry__suspensions') }} as suspensions
        on
            month_ends.registration_key = suspensions.registration_key
            and month_ends.is_synthetic = suspensions.is_synthetic
            and month_ends.month_end >= suspensions.suspended_from
            and coalesce(month_ends.month_end < suspensions.ended_on, true)
    inner join {{ ref('registry_suspension_ages') }} as ages
        on
            coalesce(month_ends.month_end > {{ months_after(since, '12 * ages.over_years') }}, true)
            and coalesce(month_ends.month_end <= {{ months_after(since, '12 * ages.up_to_years') }}, true)
),

stocks as (
    select
        month,
        department_code,
        age_code,
        is_at_least,
        is_synthetic,
        count(*) as suspended_count
    from standing
    group by month, department_code, age_code, is_at_least, is_synthetic
),

moves as (
    select
        after.month,
        standing.department_code,
        standing.age_code,
        standing.is_at_least,
        standing.is_synthetic,
        count(*) as at_risk_count,
        count(*) filter (where after.registry_state = 'VIGENTE') as cured_count,
        count(*) filter (where after.registry_state in ('EXCLUIDO', 'AUSENTE')) as gone_count,
        median(datediff('day', standing.suspended_from, standing.ended_on)) filter (
            where after.registry_state = 'VIGENTE'
        ) as cured_median_days
    from standing
    inner join month_ends as after
        on
            standing.registration_key = after.registration_key
            and standing.is_synthetic = after.is_synthetic
            and standing.month + interval 1 month = after.month
    group by
        after.month, standing.department_code, standing.age_code, standing.is_at_least, standing.is_synthetic
)

select
    month,
    department_code,
    age_code,
    is_at_least,
    coalesce(stocks.suspended_count, 0) as suspended_count,
    coalesce(moves.at_risk_count, 0) as at_risk_count,
    coalesce(moves.cured_count, 0) as cured_count,
    coalesce(moves.gone_count, 0) as gone_count,
    moves.gone_count * 1.0 / moves.at_risk_count as hazard_frac,
    moves.cured_count * 1.0 / moves.at_risk_count as cured_frac,
    moves.cured_median_days,
    is_synthetic
from stocks
full outer join moves using (month, department_code, age_code, is_at_least, is_synthetic)
order by is_synthetic, month, department_code, age_code, is_at_least
