-- One line for each milestone, curve and stratum: median time, mean time within 180 and 365 days (restricted mean),
-- incidence at the end. The median is null while fewer than half have reached the milestone.
with curve as (
    select
        *,
        lead(duration_days) over stratum as next_days
    from {{ ref('mart_formalization_survival') }}
    window stratum as (partition by is_synthetic, milestone_code, curve_code, stratum_code order by duration_days)
),

spells as (
    {% for curve, is_used in [
        ('PUNTUAL', 'duration_days > entry_days'),
        ('INFERIOR', 'duration_max_days > entry_min_days'),
        ('SUPERIOR', 'duration_max_days > entry_min_days'),
    ] %}
        select
            milestone_code,
            '{{ curve }}' as curve_code,
            unnest(['ALL', coalesce(department_code, '--')]) as stratum_code,
            is_synthetic,
            is_bracketed,
            end_code
        from {{ ref('int_formalization__spells') }}
        where {{ is_used }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (
    select
        milestone_code,
        curve_code,
        stratum_code,
        is_synthetic,
        count(*) as spell_count,
        count(*) filter (where end_code = 1) as reached_count,
        count(*) filter (where is_bracketed) as bracketed_count
    from spells
    group by milestone_code, curve_code, stratum_code, is_synthetic
),

measured as (
    select
        milestone_code,
        curve_code,
        stratum_code,
        is_synthetic,
        min(duration_days) filter (where km_survival_frac <= 0.5 + 1e-12) as median_days,
        min(duration_days) as first_days,
        sum(
            km_survival_frac * greatest(least(coalesce(next_days, 180), 180) - least(duration_days, 180), 0)
        ) as area_180,
        sum(
            km_survival_frac * greatest(least(coalesce(next_days, 365), 365) - least(duration_days, 365), 0)
        ) as area_365,
        arg_max(reached_incidence_frac, duration_days) as reached_incidence_frac,
        arg_max(excluded_incidence_frac, duration_days) as excluded_incidence_frac,
        arg_max(withdrawn_incidence_frac, duration_days) as withdrawn_incidence_frac
    from curve
    group by milestone_code, curve_code, stratum_code, is_synthetic
)

select
    counted.milestone_code,
    counted.curve_code,
    counted.stratum_code,
    counted.spell_count,
    counted.reached_count,
    counted.bracketed_count,
    measured.median_days,
    least(coalesce(measured.first_days, 180), 180) + coalesce(measured.area_180, 0) as restricted_mean_180_days,
    least(coalesce(measured.first_days, 365), 365) + coalesce(measured.area_365, 0) as restricted_mean_365_days,
    measured.reached_incidence_frac,
    measured.excluded_incidence_frac,
    measured.withdrawn_incidence_frac,
    counted.is_synthetic
from counted
left join measured
    on
        counted.milestone_code = measured.milestone_code
        and counted.curve_code = measured.curve_code
        and counted.stratum_code = measured.stratum_code
        and counted.is_synthetic = measured.is_synthetic
order by counted.is_synthetic, counted.milestone_code, counted.curve_code, counted.stratum_code
