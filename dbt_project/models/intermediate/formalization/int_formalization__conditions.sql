-- What papers say about the conditions to stay in the registry (seed registry_conditions): intervals in which one is
-- met or not met. Where there is no interval it is not known, which is not the same as not met: an office that reported
-- nothing proves nothing. Environmental instrument: met from the day that proves it; not met before the day of its own
-- filing. Taxpayer: the newest state known, for as long as the seed lets it stand; the roll tells who is inactive, and
-- who is active in the third category only together with an earlier report of that. Half-yearly declaration: that of
-- the last half-year due, met from when it was handed in, not met while it was late, met where none is owed yet.
-- `acted_date`: the last day on which somebody did something about it (filed, reported anew, declared late); null where
-- nothing was mended.
with events as (
    select
        reinfo_key as registration_key,
        step_code,
        outcome_code,
        semester,
        event_date,
        {{ last_day_stated('event_date', 'date_precision_code') }} as proven_date,
        is_synthetic
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null
),

proofs as (
    select
        reached.registration_key,
        reached.is_synthetic,
        milestones.proves_condition_code as condition_code,
        min(reached.reached_by_date) as proven_date,
        min(reached.reached_date) as first_date,
        min(reached.reached_date) filter (
            where reached.milestone_code = milestones.proves_condition_code
        ) as filed_date
    from {{ ref('int_formalization__reached') }} as reached
    inner join {{ ref('formalization_milestones') }} as milestones
        on reached.milestone_code = milestones.milestone_code and milestones.proves_condition_code is not null
    group by reached.registration_key, reached.is_synthetic, milestones.proves_condition_code
),

instruments as (
    select
        registration_key,
        is_synthetic,
        condition_code,
        proven_date as valid_from,
        cast(null as date) as valid_to,
        true as is_met,
        proven_date as acted_date
    from proofs

    union all

    select
        registration_key,
        is_synthetic,
        condition_code,
        cast(null as date) as valid_from,
        filed_date as valid_to,
        false as is_met,
        cast(null as date) as acted_date
    from proofs
    where filed_date = first_date
),

third_category as (
    select
        registration_key,
        is_synthetic,
        proven_date as known_date
    from events
    where step_code = 'RUC_TERCERA_ACTIVO' and outcome_code = 'APROBADO'
),

firsts as (
    select
        registration_key,
        is_synthetic,
        min(known_date) as first_date
    from third_category
    group by registration_key, is_synthetic
),

rolls as (
    select
        party_key,
        is_synthetic,
        source_as_of as known_date,
        max_by(taxpayer_status, (ingested_at, landing_sha256)) = 'ACTIVO' as is_active
    from {{ ref('stg_sunat_ruc__taxpayers') }}
    group by party_key, is_synthetic, source_as_of
),

taxpayer_states as (
    select
        registration_key,
        is_synthetic,
        known_date,
        true as is_met,
        known_date as acted_date
    from third_category

    union all

    select
        registrations.registration_key,
        registrations.is_synthetic,
        rolls.known_date,
        case when not rolls.is_active then false when firsts.first_date <= rolls.known_date then true end as is_met,
        cast(null as date) as acted_date
    from rolls
    inner join {{ ref('int_formalization__dimensions') }} as registrations
        on rolls.party_key = registrations.party_key and rolls.is_synthetic = registrations.is_synthetic
    left join firsts
        on
            registrations.registration_key = firsts.registration_key
            and registrations.is_synthetic = firsts.is_synthetic
),

known_states as (
    select
        registration_key,
        is_synthetic,
        known_date,
        bool_and(is_met) as is_met,
        max(acted_date) as acted_date
    from taxpayer_states
    group by registration_key, is_synthetic, known_date
),

taxpayers as (
    select
        states.registration_key,
        states.is_synthetic,
        conditions.condition_code,
        states.known_date as valid_from,
        least(
            lead(states.known_date) over (
                partition by states.registration_key, states.is_synthetic order by states.known_date
            ),
            cast(states.known_date + conditions.evidence_days * interval 1 day as date)
        ) as valid_to,
        states.is_met,
        max(states.acted_date) over (
            partition by states.registration_key, states.is_synthetic order by states.known_date
            rows between unbounded preceding and current row
        ) as acted_date
    from known_states as states
    inner join {{ ref('registry_conditions') }} as conditions on conditions.condition_code = 'RUC_TERCERA_ACTIVO'
),

declaration as (
    select
        condition_code,
        due_days * interval 1 day as due_after
    from {{ ref('registry_conditions') }}
    where condition_code = 'DECLARACION_SEMESTRAL'
),

-- The first half-year of which something is owed is the first one that begins after the inscription.
not_owed as (
    select
        registrations.registration_key,
        registrations.is_synthetic,
        declaration.condition_code,
        registrations.inscribed_from_date as valid_from,
        cast(
            make_date(extract(year from registrations.inscribed_from_date), 1, 1)
            + case when extract(month from registrations.inscribed_from_date) < 7 then 12 else 18 end * interval 1 month
            + declaration.due_after as date
        ) as valid_to,
        true as is_met,
        cast(null as date) as acted_date
    from {{ ref('int_formalization__dimensions') }} as registrations
    cross join declaration
    where registrations.inscribed_from_date is not null
),

declared as (
    select
        events.registration_key,
        events.is_synthetic,
        declaration.condition_code,
        cast(
            make_date(cast(left(events.semester, 4) as integer), 1, 1)
            + cast(right(events.semester, 1) as integer) * interval 6 month + declaration.due_after as date
        ) as due_date,
        cast(
            make_date(cast(left(events.semester, 4) as integer), 1, 1)
            + (cast(right(events.semester, 1) as integer) + 1) * interval 6 month + declaration.due_after as date
        ) as next_due_date,
        min(events.event_date) as first_date,
        min(events.proven_date) as proven_date
    from events
    cross join declaration
    where
        events.step_code = declaration.condition_code and events.outcome_code = 'PRESENTADO'
        and events.semester is not null
    group by events.registration_key, events.is_synthetic, declaration.condition_code, due_date, next_due_date
),

owed as (
    select declared.*
    from declared
    left join not_owed
        on declared.registration_key = not_owed.registration_key and declared.is_synthetic = not_owed.is_synthetic
    where coalesce(declared.due_date >= not_owed.valid_to, true)
),

declarations as (
    select * from not_owed

    union all

    select
        registration_key,
        is_synthetic,
        condition_code,
        greatest(due_date, proven_date) as valid_from,
        next_due_date as valid_to,
        true as is_met,
        case when first_date >= due_date then proven_date end as acted_date
    from owed

    union all

    select
        registration_key,
        is_synthetic,
        condition_code,
        due_date as valid_from,
        least(first_date, next_due_date) as valid_to,
        false as is_met,
        cast(null as date) as acted_date
    from owed
),

told as (
    select * from instruments
    union all
    select * from taxpayers
    union all
    select * from declarations
)

select
    told.registration_key,
    told.condition_code,
    greatest(coalesce(told.valid_from, conditions.valid_from), conditions.valid_from) as valid_from,
    told.valid_to,
    told.is_met,
    told.acted_date,
    told.is_synthetic
from told
inner join {{ ref('registry_conditions') }} as conditions on told.condition_code = conditions.condition_code
where
    told.is_met is not null
    and coalesce(
        told.valid_to > greatest(coalesce(told.valid_from, conditions.valid_from), conditions.valid_from), true
    )
