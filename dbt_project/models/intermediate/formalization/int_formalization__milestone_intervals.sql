-- How far each registration is, as intervals of time in which no milestone is added, from the day on which some source
-- first tells of it. Steps may be taken in any order: the furthest milestone is that of the highest order reached
-- (among parallel ones, the later in `blocking_order`), the blocking one is the first that is missing in
-- `blocking_order`; both orders are data (seed formalization_milestones). Each set of milestones is one number, whose
-- binary digits are the milestones, so that names and orders are looked up once per set.
{% set milestones = [
    'IGAFOM_PRESENTADO', 'IGAFOM_APROBADO', 'TERRENO_SUPERFICIAL', 'DERECHO_MINERO', 'RESTOS_ARQUEOLOGICOS',
    'EXPEDIENTE_TECNICO', 'AUTORIZACION'
] %}
with milestones as (
    select
        milestone_code,
        milestone_order * 100 + blocking_order as position,
        blocking_order,
        cast(power(2, row_number() over (order by milestone_code) - 1) as integer) as bit
    from (
        select distinct
            milestone_code,
            milestone_order,
            blocking_order
        from {{ ref('formalization_milestones') }}
    ) as distinct_milestones
),

known as (
    select
        registration_key,
        is_synthetic,
        min(known_from) as valid_from
    from (
        select
            registration_key,
            is_synthetic,
            valid_from as known_from
        from {{ ref('dim_registration') }}

        union all

        select
            reinfo_key as registration_key,
            is_synthetic,
            {{ last_day_stated('event_date', 'date_precision_code') }} as known_from
        from {{ ref('stg_partner_step_events__events') }}
        where is_current and reinfo_key is not null
    ) as told
    group by registration_key, is_synthetic
),

additions as (
    select
        reached.registration_key,
        reached.is_synthetic,
        reached.reached_by_date as valid_from,
        milestones.bit
    from {{ ref('int_formalization__reached') }} as reached
    inner join milestones on reached.milestone_code = milestones.milestone_code

    union all

    select
        registration_key,
        is_synthetic,
        valid_from,
        0 as bit
    from known
),

intervals as (
    select
        registration_key,
        is_synthetic,
        valid_from,
        cast(sum(sum(bit)) over (
            partition by registration_key, is_synthetic order by valid_from
            rows between unbounded preceding and current row
        ) as integer) as reached_bits,
        lead(valid_from) over (partition by registration_key, is_synthetic order by valid_from) as valid_to
    from additions
    group by registration_key, is_synthetic, valid_from
),

sets as (
    select distinct reached_bits from intervals
),

told as (
    select
        sets.reached_bits,
        {% for code in milestones -%}
            bool_or(milestones.milestone_code = '{{ code }}' and (sets.reached_bits & milestones.bit) <> 0)
                as has_{{ code | lower }},
        {% endfor -%}
        cast(count(*) filter (where (sets.reached_bits & milestones.bit) <> 0) as smallint) as reached_count,
        max_by(milestones.milestone_code, milestones.position) filter (
            where (sets.reached_bits & milestones.bit) <> 0
        ) as furthest_milestone_code,
        string_agg(milestones.milestone_code, ';' order by milestones.position) filter (
            where (sets.reached_bits & milestones.bit) = 0
        ) as missing_milestone_codes,
        min_by(milestones.milestone_code, milestones.blocking_order) filter (
            where (sets.reached_bits & milestones.bit) = 0
        ) as first_missing_code
    from sets
    cross join milestones
    group by sets.reached_bits
)

select
    intervals.registration_key,
    intervals.valid_from,
    intervals.valid_to,
    told.reached_count,
    told.furthest_milestone_code,
    told.missing_milestone_codes,
    -- who has the authorisation is blocked by nothing, whatever the offices did not report
    case when not told.has_autorizacion then told.first_missing_code end as blocking_milestone_code,
    {% for code in milestones -%}
        told.has_{{ code | lower }},
    {% endfor -%}
    intervals.is_synthetic
from intervals
inner join told on intervals.reached_bits = told.reached_bits
