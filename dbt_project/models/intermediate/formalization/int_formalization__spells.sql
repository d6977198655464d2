-- Time at risk of every registration towards every milestone, in days since its inscription: when it came under
-- observation, when it was last at risk, and what ended it. 1 the milestone, 2 exclusion, 3 withdrawal, 0 still open
-- when last seen: on the last day that the sources cover, or in the last file of the registry before it left without
-- anybody telling why.
--
-- Whose inscription the offices reported is under observation from that day on, as their files tell of those too who
-- have left since. Others are known from the files of the registry alone, with the year of their inscription: they
-- came under observation with the first file that told it (left truncation); who had left by then is in no file.
--
-- Many days are known within a window only: an inscription by its year or month, an event by its month or year, an
-- exclusion between two files. So every time has a least and a most; a time as it is, `entry_days` and `duration_days`,
-- is there for who was inscribed on a known day, with the middle of the window of an end that has one.
with events as (
    select
        reinfo_key as registration_key,
        step_code,
        outcome_code,
        event_date,
        {{ last_day_stated('event_date', 'date_precision_code') }} as proven_date,
        date_precision_code,
        left(ubigeo_code, 2) as department_code,
        is_synthetic
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null
),

covered as (
    select
        is_synthetic,
        max(source_as_of) as last_date
    from {{ ref('stg_partner_step_events__events') }}
    where is_current
    group by is_synthetic
),

reported as (
    select
        registration_key,
        is_synthetic,
        arg_min(department_code, event_date) as department_code,
        min(event_date) as inscribed_from,
        min(proven_date) as inscribed_to,
        cast(null as date) as seen_from
    from events
    where step_code = 'INSCRIPCION_REINFO'
    group by registration_key, is_synthetic
),

-- Known from the registry alone. Its year stands in the map layer, which never shows who has left.
listed as (
    select
        listings.registration_key,
        listings.is_synthetic,
        arg_min(listings.department_code, listings.source_as_of) as department_code,
        make_date(cast(arg_min(listings.inscription_year, listings.source_as_of) as integer), 1, 1) as inscribed_from,
        least(
            make_date(cast(arg_min(listings.inscription_year, listings.source_as_of) as integer), 12, 31),
            min(listings.source_as_of)
        ) as inscribed_to,
        min(listings.source_as_of) as seen_from
    from {{ ref('int_registry__listings_keyed') }} as listings
    left join reported
        on listings.registration_key = reported.registration_key and listings.is_synthetic = reported.is_synthetic
    where
        listings.key_method = 'code'
        and listings.inscription_year is not null
        and reported.registration_key is null
    group by listings.registration_key, listings.is_synthetic
),

inscribed as (
    select * from reported
    union all
    select * from listed
),

-- What the registry's files show of the first time that a registration is gone.
shown as (
    select
        *,
        lag(registry_state) over registration as state_before,
        lead(registry_state) over registration as state_after
    from {{ ref('dim_registration') }}
    window registration as (partition by registration_key, is_synthetic order by valid_from)
),

gone as (
    select
        registration_key,
        is_synthetic,
        arg_min(changed_after, valid_from) as seen_until,
        min(valid_from) as gone_by,
        -- listed as excluded, or told so by the next file that lists it, or absent after a suspension
        arg_min(
            registry_state = 'EXCLUIDO' or coalesce(state_after, '') = 'EXCLUIDO' or state_before = 'SUSPENDIDO',
            valid_from
        ) as is_exclusion
    from shown
    where registry_state in ('EXCLUIDO', 'AUSENTE') and coalesce(state_before, '') not in ('EXCLUIDO', 'AUSENTE')
    group by registration_key, is_synthetic
),

told as (
    select
        registration_key,
        is_synthetic,
        min(event_date) filter (where step_code = 'EXCLUSION') as excluded_from,
        min(proven_date) filter (where step_code = 'EXCLUSION') as excluded_to,
        min(event_date) filter (where step_code = 'RENUNCIA') as withdrawn_from,
        min(proven_date) filter (where step_code = 'RENUNCIA') as withdrawn_to,
        min(event_date) filter (
            where step_code = 'AUTORIZACION_INICIO_REINICIO' and outcome_code = 'APROBADO'
        ) as formalized_from
    from events
    group by registration_key, is_synthetic
),

reached as (
    select
        registration_key,
        is_synthetic,
        milestone_code,
        reached_date,
        reached_by_date
    from {{ ref('int_formalization__reached') }}
),

milestones as (
    select distinct milestone_code from {{ ref('formalization_milestones') }}
),

-- Where the offices told nothing of how it left, an exclusion is presumed from the files.
leavings as (
    select
        inscribed.*,
        gone.is_exclusion
        and coalesce(told.excluded_from, told.withdrawn_from, told.formalized_from) is null as is_presumed,
        told.excluded_from,
        told.excluded_to,
        told.withdrawn_from,
        told.withdrawn_to,
        gone.seen_until,
        gone.gone_by
    from inscribed
    left join told
        on inscribed.registration_key = told.registration_key and inscribed.is_synthetic = told.is_synthetic
    left join gone
        on inscribed.registration_key = gone.registration_key and inscribed.is_synthetic = gone.is_synthetic
),

windows as (
    select
        leavings.registration_key,
        leavings.is_synthetic,
        leavings.department_code,
        leavings.inscribed_from,
        leavings.inscribed_to,
        leavings.seen_from,
        milestones.milestone_code,
        reached.reached_date,
        case
            when leavings.is_presumed
                then coalesce(cast(leavings.seen_until + interval 1 day as date), leavings.inscribed_from)
            else leavings.excluded_from
        end as excluded_date,
        leavings.withdrawn_from as withdrawn_date,
        least(
            reached.reached_by_date,
            case when leavings.is_presumed then leavings.gone_by else leavings.excluded_to end,
            leavings.withdrawn_to
        ) as ended_by_date,
        least(covered.last_date, leavings.seen_until) as last_date
    from leavings
    cross join milestones
    inner join covered on leavings.is_synthetic = covered.is_synthetic
    left join reached
        on
            leavings.registration_key = reached.registration_key
            and leavings.is_synthetic = reached.is_synthetic
            and milestones.milestone_code = reached.milestone_code
),

-- What came first ended the wait; nothing ended before the inscription, nor was inscribed after the end.
dated as (
    select
        *,
        greatest(
            coalesce(least(reached_date, excluded_date, withdrawn_date), last_date), inscribed_from
        ) as ended_from,
        greatest(coalesce(ended_by_date, last_date), inscribed_from) as ended_to,
        case
            when reached_date <= coalesce(least(excluded_date, withdrawn_date), reached_date) then 1
            when excluded_date <= coalesce(withdrawn_date, excluded_date) then 2
            when withdrawn_date is not null then 3
            else 0
        end as end_code
    from windows
)

select
    registration_key,
    department_code,
    milestone_code,
    inscribed_from,
    least(inscribed_to, ended_to) as inscribed_to,
    seen_from,
    ended_from,
    ended_to,
    coalesce(datediff('day', least(inscribed_to, ended_to), seen_from), 0) as entry_min_days,
    coalesce(datediff('day', inscribed_from, seen_from), 0) as entry_max_days,
    -- a time that may be longer than none is not taken as none
    greatest(
        datediff('day', least(inscribed_to, ended_to), ended_from), least(datediff('day', inscribed_from, ended_to), 1)
    ) as duration_min_days,
    datediff('day', inscribed_from, ended_to) as duration_max_days,
    case when inscribed_from = inscribed_to and seen_from is null then cast(0 as bigint) end as entry_days,
    case
        when inscribed_from = inscribed_to and seen_from is null
            then
                greatest(
                    datediff('day', inscribed_from, ended_from) + datediff('day', ended_from, ended_to) // 2,
                    least(datediff('day', inscribed_from, ended_to), 1)
                )
    end as duration_days,
    cast(end_code as smallint) as end_code,
    inscribed_from < least(inscribed_to, ended_to) or ended_from < ended_to as is_bracketed,
    is_synthetic
from dated
