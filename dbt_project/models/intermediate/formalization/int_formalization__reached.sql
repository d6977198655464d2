{{ config(meta={'trace': {'parent': 'stg_partner_step_events__events', 'on': ['landing_sha256', 'row_number']}}) }}
-- Which registration reached which milestone, by its earliest event. A date known by month or year alone stands on the
-- first day (`reached_date`); `reached_by_date` is the first day on which some event proves the milestone for certain.
with events as (
    select
        events.reinfo_key as registration_key,
        milestones.milestone_code,
        events.event_id,
        events.event_date,
        {{ last_day_stated('events.event_date', 'events.date_precision_code') }} as proven_date,
        events.date_precision_code,
        events.evidence_id,
        events.is_synthetic,
        events.landing_sha256,
        events.row_number
    from {{ ref('stg_partner_step_events__events') }} as events
    inner join {{ ref('formalization_milestones') }} as milestones
        on
            replace(events.step_code, 'PREVENTIVO', 'CORRECTIVO') = milestones.step_code
            and events.outcome_code = milestones.outcome_code
    where events.is_current and events.reinfo_key is not null
),

ordered as (
    select
        *,
        min(proven_date) over (partition by registration_key, milestone_code, is_synthetic) as reached_by_date,
        row_number() over (
            partition by registration_key, milestone_code, is_synthetic order by event_date, proven_date, event_id
        ) as nth
    from events
)

select
    registration_key,
    milestone_code,
    event_date as reached_date,
    reached_by_date,
    date_precision_code,
    event_id,
    evidence_id,
    is_synthetic,
    landing_sha256,
    row_number
from ordered
where nth = 1
