-- By what every registration is counted, as last known; one row for each that the registry or an office ever told of.
-- Sex only where a source asked the person. Whose the concession is: a contract on file says a third party's; else the
-- newest answer to a survey; else the registry, where it shows free area. The mineral is attributed, never read.
with events as (
    select
        reinfo_key as registration_key,
        is_synthetic,
        max_by(party_key, (event_date, event_id)) as party_key,
        max_by(ubigeo_code, (event_date, event_id)) filter (where ubigeo_code is not null) as place_code,
        min(event_date) filter (where step_code = 'INSCRIPCION_REINFO') as inscription_date
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null
    group by reinfo_key, is_synthetic
),

-- layouts of the registry differ in what they carry: of each attribute the last that was known
registered as (
    select
        registration_key,
        {% for name in [
            'party_key', 'is_free_area', 'department_code', 'place_code', 'activity_code', 'inscription_year'
        ] -%}
            max_by({{ name }}, valid_from) filter (where {{ name }} is not null) as {{ name }},
        {% endfor -%}
        is_synthetic
    from {{ ref('dim_registration') }}
    group by registration_key, is_synthetic
),

registrations as (
    select
        coalesce(registered.registration_key, events.registration_key) as registration_key,
        coalesce(registered.is_synthetic, events.is_synthetic) as is_synthetic,
        coalesce(registered.party_key, events.party_key) as party_key,
        coalesce(registered.is_free_area, false) as is_free_area,
        coalesce(registered.department_code, left(events.place_code, 2)) as department_code,
        coalesce(places.province_code, left(events.place_code, 4)) as province_code,
        registered.activity_code,
        coalesce(registered.inscription_year, extract(year from events.inscription_date)) as inscription_year,
        -- the earliest day on which the inscription can have been
        coalesce(events.inscription_date, make_date(registered.inscription_year, 1, 1)) as inscribed_from_date
    from registered
    full outer join events
        on registered.registration_key = events.registration_key and registered.is_synthetic = events.is_synthetic
    left join {{ ref('dim_place') }} as places on registered.place_code = places.ubigeo_code
),

asked as (
    select
        party_key,
        is_synthetic,
        survey_date as asked_date,
        sex_code
    from {{ ref('stg_partner_surveys__answers') }}
    where is_current and has_consent and sex_code is not null

    union all

    select
        participant_key as party_key,
        is_synthetic,
        session_date as asked_date,
        sex_code
    from {{ ref('stg_partner_trainings__attendances') }}
    where is_current and sex_code is not null
),

sexes as (
    select
        party_key,
        is_synthetic,
        max_by(sex_code, (asked_date, sex_code)) as sex_code
    from asked
    group by party_key, is_synthetic
),

answers as (
    select
        reinfo_key as registration_key,
        is_synthetic,
        max_by(concession_relation_code, (survey_date, survey_id)) as concession_relation_code
    from {{ ref('stg_partner_surveys__answers') }}
    where is_current and reinfo_key is not null and concession_relation_code is not null
    group by reinfo_key, is_synthetic
),

contracted as (
    select distinct
        reinfo_key as registration_key,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where is_current and reinfo_key is not null and holder_key <> operator_key
)

select
    registrations.registration_key,
    registrations.party_key,
    coalesce(registrations.department_code, '--') as department_code,
    coalesce(registrations.province_code, '--') as province_code,
    coalesce(registrations.activity_code, 'SIN_DATO') as activity_code,
    coalesce(cast(registrations.inscription_year as varchar), 'SIN_DATO') as cohort_code,
    coalesce(sexes.sex_code, 'SIN_DATO') as sex_code,
    case
        when contracted.registration_key is not null then 'TERCERO'
        when answers.concession_relation_code = 'PROPIA' then 'PROPIA'
        when registrations.is_free_area then 'AREA_LIBRE'
        when answers.concession_relation_code is not null then 'TERCERO'
        else 'SIN_DATO'
    end as concession_code,
    coalesce(minerals.mineral_code, 'SIN_ATRIBUIR') as mineral_code,
    registrations.inscribed_from_date,
    registrations.is_synthetic
from registrations
left join sexes
    on registrations.party_key = sexes.party_key and registrations.is_synthetic = sexes.is_synthetic
left join answers
    on registrations.registration_key = answers.registration_key and registrations.is_synthetic = answers.is_synthetic
left join contracted
    on
        registrations.registration_key = contracted.registration_key
        and registrations.is_synthetic = contracted.is_synthetic
left join {{ ref('attr_registration_mineral') }} as minerals
    on
        registrations.registration_key = minerals.registration_key
        and registrations.is_synthetic = minerals.is_synthetic
