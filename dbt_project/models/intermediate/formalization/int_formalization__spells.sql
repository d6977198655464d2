-- Time at risk of every registration towards every milestone, in days since its inscription: when it came under
-- observation, when it was last at risk, and what ended it. 1 the milestone, 2 exclusion, 3 withdrawal, 0 still open on
-- the last day that the sources cover. Whose inscription the offices reported with its day or month is under
-- observation from that day on, as their files tell of those too who have left since. Others came under observation
-- with the first file of the registry that lists them (left truncation), but only the year of their inscription is
-- known: they have no day to count from and are left out.
with events as (
    select
        reinfo_key as registration_key,
        step_code,
        outcome_code,
        min(event_date) as event_date,
        is_synthetic
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null
    group by reinfo_key, step_code, outcome_code, is_synthetic
),

covered as (
    select
        is_synthetic,
        max(source_as_of) as last_date
    from {{ ref('stg_partner_step_events__events') }}
    where is_current
    group by is_synthetic
),

inscribed as (
    select
        reinfo_key as registration_key,
        is_synthetic,
        min(event_date) as inscription_date,
        arg_min(left(ubigeo_code, 2), event_date) as department_code
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null and step_code = 'INSCRIPCION_REINFO' and date_precision_code <> 'ANIO'
    group by reinfo_key, is_synthetic
),

ended as (
    select
        registration_key,
        is_synthetic,
        min(event_date) filter (where step_code = 'EXCLUSION') as excluded_date,
        min(event_date) filter (where step_code = 'RENUNCIA') as withdrawn_date
    from events
    where step_code in ('EXCLUSION', 'RENUNCIA')
    group by registration_key, is_synthetic
),

reached as (
    select
        registration_key,
        is_synthetic,
        milestone_code,
        reached_date
    from {{ ref('int_formalization__reached') }}
),

milestones as (
    select distinct milestone_code from {{ ref('formalization_milestones') }}
),

dated as (
    select
        inscribed.registration_key,
        inscribed.is_synthetic,
        inscribed.department_code,
        milestones.milestone_code,
        inscribed.inscription_date,
        least(
            coalesce(reached.reached_date, date '9999-12-31'), coalesce(ended.excluded_date, date '9999-12-31'),
            coalesce(ended.withdrawn_date, date '9999-12-31'), covered.last_date
        ) as end_date,
        reached.reached_date,
        ended.excluded_date,
        ended.withdrawn_date
    from inscribed
    cross join milestones
    inner join covered on inscribed.is_synthetic = covered.is_synthetic
    left join reached
        on
            inscribed.registration_key = reached.registration_key
            and inscribed.is_synthetic = reached.is_synthetic
            and milestones.milestone_code = reached.milestone_code
    left join ended
        on inscribed.registration_key = ended.registration_key and inscribed.is_synthetic = ended.is_synthetic
)

select
    registration_key,
    department_code,
    milestone_code,
    cast(0 as bigint) as entry_days,
    datediff('day', inscription_date, end_date) as duration_days,
    cast(
        case
            when reached_date = end_date then 1
            when excluded_date = end_date then 2
            when withdrawn_date = end_date then 3
            else 0
        end as smallint
    ) as end_code,
    is_synthetic
from dated
