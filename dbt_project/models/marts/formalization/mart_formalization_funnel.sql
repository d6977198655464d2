-- How many reached each milestone by each month's end, in whatever order. Registered: all that some source had told of
-- by then. Eligible: those in the registry's stock and those that left it with the authorisation; not the excluded, the
-- absent without authorisation (presumed excluded or withdrawn), nor those that no file of the registry listed.
-- Registrations are not persons: operators are distinct parties, and their numbers do not add up over rows. Where no
-- office of the department had reported any step by then, a share is null: what nobody tells is not zero.
{% set milestones = [
    'IGAFOM_PRESENTADO', 'IGAFOM_APROBADO', 'TERRENO_SUPERFICIAL', 'DERECHO_MINERO', 'RESTOS_ARQUEOLOGICOS',
    'EXPEDIENTE_TECNICO', 'AUTORIZACION'
] %}
{% set dimensions = [
    'department_code', 'province_code', 'activity_code', 'cohort_code', 'sex_code', 'concession_code', 'mineral_code'
] %}
with parties as (
    -- a number for each party: distinct numbers are counted in a fraction of the time of distinct keys
    select
        *,
        dense_rank() over (order by party_key) as party_number
    from {{ ref('int_formalization__dimensions') }}
),

counted as (
    select
        progress.month,
        progress.is_synthetic,
        {% for name in dimensions -%}
            parties.{{ name }},
        {% endfor -%}
        count(*) as registered_registration_count,
        count(*) filter (where progress.is_eligible) as eligible_registration_count,
        {% for code in milestones -%}
            count(*) filter (where progress.is_eligible and progress.has_{{ code | lower }})
                as registrations_{{ code | lower }},
            count(distinct case
                when progress.is_eligible and progress.has_{{ code | lower }} then parties.party_number
            end) as operators_{{ code | lower }},
        {% endfor -%}
        count(distinct case when progress.is_eligible then parties.party_number end) as eligible_operator_count
    from {{ ref('mart_formalization_progress') }} as progress
    inner join parties
        on progress.registration_key = parties.registration_key and progress.is_synthetic = parties.is_synthetic
    group by progress.month, progress.is_synthetic, {{ dimensions | join(', ') }}
),

reporting as (
    select
        parties.department_code,
        parties.is_synthetic,
        min({{ last_day_stated('events.event_date', 'events.date_precision_code') }}) as first_date
    from {{ ref('stg_partner_step_events__events') }} as events
    inner join parties
        on events.reinfo_key = parties.registration_key and events.is_synthetic = parties.is_synthetic
    where events.is_current
    group by parties.department_code, parties.is_synthetic
),

milestones as (
    select distinct
        milestone_code,
        milestone_order
    from {{ ref('formalization_milestones') }}
),

long as (
    select
        counted.*,
        coalesce(reporting.first_date <= last_day(counted.month), false) as has_reports,
        milestones.milestone_code,
        milestones.milestone_order,
        case milestones.milestone_code
            {% for code in milestones -%}
                when '{{ code }}' then counted.registrations_{{ code | lower }}
            {% endfor -%}
        end as reached_registration_count,
        case milestones.milestone_code
            {% for code in milestones -%}
                when '{{ code }}' then counted.operators_{{ code | lower }}
            {% endfor -%}
        end as reached_operator_count
    from counted
    cross join milestones
    left join reporting
        on counted.department_code = reporting.department_code and counted.is_synthetic = reporting.is_synthetic
)

select
    month,
    {{ dimensions | join(',\n    ') }},
    milestone_code,
    milestone_order,
    registered_registration_count,
    eligible_registration_count,
    reached_registration_count,
    has_reports,
    case
        when has_reports then reached_registration_count * 1.0 / nullif(eligible_registration_count, 0)
    end as share_frac,
    eligible_operator_count,
    reached_operator_count,
    is_synthetic
from long
order by is_synthetic, month, {{ dimensions | join(', ') }}, milestone_order, milestone_code
