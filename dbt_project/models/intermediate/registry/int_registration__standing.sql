-- In which state every registration stood on which days: dim_registration with what it leaves open. Before the first
-- row of a registration stand the days on which a whole file did not list it yet (NO_INSCRITO) and, further back, those
-- that no file reaches (SIN_ARCHIVO). Who is missing after an authorisation ended the process and did not fall out of
-- it (FORMALIZADO), also where no file ever listed him (NO_FIGURA before). After `may_change_after` no file confirms
-- the state any more: the next one began on some day up to `valid_to`.
with history as (
    select
        registration_key,
        party_key,
        department_code,
        registry_state,
        valid_from,
        valid_to,
        lead(changed_after) over registration as next_changed_after,
        row_number() over registration as nth,
        is_synthetic
    from {{ ref('dim_registration') }}
    window registration as (partition by registration_key, is_synthetic order by valid_from)
),

files as (
    select
        is_synthetic,
        min(case when is_complete and absence_counts then source_as_of end) as first_whole_date,
        max(source_as_of) as last_date
    from {{ ref('int_registry__files_judged') }}
    group by is_synthetic
),

-- Every whole file that still does not list a registration confirms its absence.
absences as (
    select
        history.registration_key,
        history.valid_from,
        max(judged.source_as_of) as last_absent_date,
        history.is_synthetic
    from history
    inner join {{ ref('int_registry__files_judged') }} as judged
        on
            history.is_synthetic = judged.is_synthetic
            and history.valid_from <= judged.source_as_of
            and coalesce(history.valid_to > judged.source_as_of, true)
    where history.registry_state = 'AUSENTE' and judged.is_complete and judged.absence_counts
    group by history.registration_key, history.valid_from, history.is_synthetic
),

-- From the first day on which the authorisation may have been granted: who is missing by then was not put out.
authorised as (
    select
        reached.registration_key,
        events.party_key,
        reached.reached_date as authorised_date,
        reached.is_synthetic
    from {{ ref('int_formalization__reached') }} as reached
    inner join {{ ref('stg_partner_step_events__events') }} as events
        on reached.landing_sha256 = events.landing_sha256 and reached.row_number = events.row_number
    where reached.milestone_code = 'AUTORIZACION'
),

spans as (
    select
        history.registration_key,
        history.party_key,
        history.department_code,
        history.registry_state,
        history.valid_from,
        history.valid_to,
        case
            when history.registry_state = 'AUSENTE' then coalesce(absences.last_absent_date, history.valid_from)
            when history.valid_to is null then files.last_date
            else coalesce(history.next_changed_after, history.valid_from)
        end as may_change_after,
        history.is_synthetic
    from history
    inner join files on history.is_synthetic = files.is_synthetic
    left join absences
        on
            history.registration_key = absences.registration_key
            and history.valid_from = absences.valid_from
            and history.is_synthetic = absences.is_synthetic

    union all

    select
        history.registration_key,
        history.party_key,
        history.department_code,
        'NO_INSCRITO' as registry_state,
        files.first_whole_date as valid_from,
        history.valid_from as valid_to,
        files.first_whole_date as may_change_after,
        history.is_synthetic
    from history
    inner join files on history.is_synthetic = files.is_synthetic
    where history.nth = 1 and files.first_whole_date < history.valid_from

    union all

    select
        history.registration_key,
        history.party_key,
        history.department_code,
        'SIN_ARCHIVO' as registry_state,
        date '1900-01-01' as valid_from,
        least(history.valid_from, coalesce(files.first_whole_date, history.valid_from)) as valid_to,
        date '1900-01-01' as may_change_after,
        history.is_synthetic
    from history
    inner join files on history.is_synthetic = files.is_synthetic
    where history.nth = 1

    union all

    select
        authorised.registration_key,
        authorised.party_key,
        cast(null as varchar) as department_code,
        'NO_FIGURA' as registry_state,
        date '1900-01-01' as valid_from,
        cast(null as date) as valid_to,
        date '9999-12-31' as may_change_after,
        authorised.is_synthetic
    from authorised
    left join history
        on authorised.registration_key = history.registration_key and authorised.is_synthetic = history.is_synthetic
    where history.registration_key is null
),

-- A span in which the registration is missing ends where its authorisation begins.
dated as (
    select
        spans.*,
        case
            when
                authorised.authorised_date is not null
                and spans.registry_state in ('AUSENTE', 'NO_INSCRITO', 'NO_FIGURA', 'SIN_ARCHIVO')
                then greatest(authorised.authorised_date, spans.valid_from)
        end as formal_from
    from spans
    left join authorised
        on spans.registration_key = authorised.registration_key and spans.is_synthetic = authorised.is_synthetic
),

split as (
    select
        registration_key,
        party_key,
        department_code,
        registry_state,
        valid_from,
        least(valid_to, formal_from) as valid_to,
        may_change_after,
        is_synthetic
    from dated

    union all

    select
        registration_key,
        party_key,
        department_code,
        'FORMALIZADO' as registry_state,
        formal_from as valid_from,
        valid_to,
        -- who ended the process has left it, whatever later files show
        date '9999-12-31' as may_change_after,
        is_synthetic
    from dated
    where formal_from is not null
)

select
    split.registration_key,
    split.party_key,
    split.department_code,
    split.registry_state,
    standing.is_good_standing,
    standing.standing_order,
    split.valid_from,
    split.valid_to,
    split.may_change_after,
    split.is_synthetic
from split
inner join {{ ref('ref_registry_standing') }} as standing on split.registry_state = standing.registry_state
where coalesce(split.valid_from < split.valid_to, true)
order by split.registration_key, split.valid_from
