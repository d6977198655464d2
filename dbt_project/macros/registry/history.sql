{# Columns of a listing whose change begins a new interval. #}
{% macro registry_state_columns() -%}
    {{ return(['status_code', 'party_key', 'mining_right_id_ingemmet', 'place_code', 'activity_code']) }}
{%- endmacro %}

{#
  One row per registration and interval of valid time in which nothing about it changed, from the files that are used,
  in the order of their own dates, whatever the order in which they arrived. A registration vanishes when a whole file
  of a layout in which absence says something does not list it; `changed_after` is the date of the last file that
  showed the state before.

  `runs` are all runs of the registrations that are asked for, `files` all files that are judged.
#}
{% macro registry_history(runs, files) -%}
{% set state = registry_state_columns() -%}
with files as (
    select
        file_number,
        is_synthetic,
        layout_code,
        source_as_of,
        ingested_at,
        landing_sha256,
        is_complete and absence_counts as tells_absence
    from {{ files }} as judged
),

-- For each file, the next whole one in which absence says something.
absences as (
    select
        file_number,
        is_synthetic,
        min(case when tells_absence then file_number end) over (
            partition by is_synthetic order by file_number rows between 1 following and unbounded following
        ) as absence_number
    from files
),

followed as (
    select
        runs.*,
        lag(last_number) over registration as number_before,
        lead(first_number) over registration as number_after,
        {% for column in state -%}
            last_value({{ column }} ignore nulls) over before as {{ column }}_before{{ ',' if not loop.last }}
        {% endfor %}
    from {{ runs }} as runs
    window
        registration as (partition by registration_key, is_synthetic order by first_number),
        before as (
            partition by registration_key, is_synthetic order by first_number
            rows between unbounded preceding and 1 preceding
        )
),

known as (
    select
        followed.*,
        absences.absence_number,
        {% for column in state -%}
            -- attributes that a layout does not carry stay as they were last known
            coalesce({{ column }}, {{ column }}_before) as known_{{ column }},
            coalesce({{ column }} <> coalesce({{ column }}_before, ''), false) as has_new_{{ column }},
        {% endfor -%}
        -- who is known as excluded, or was never on the map, is not missed on the map
        coalesce(absences.absence_number < coalesce(number_after, absences.absence_number + 1), false)
        and coalesce(known_status_code <> 'EXCLUIDO', true)
        and key_method <> 'natural' as vanishes_after
    from followed
    -- nothing is absent yet that the newest file lists: such a run has no last file
    left join absences on followed.last_number = absences.file_number and followed.is_synthetic = absences.is_synthetic
),

returned as (
    select
        *,
        coalesce(lag(vanishes_after) over (
            partition by registration_key, is_synthetic order by first_number
        ), false) as vanished_before
    from known
),

changes as (
    select
        *,
        first_number as change_number,
        first_number as listed_number,
        case when not vanished_before then number_before end as changed_after_number,
        case
            when number_before is null then 'new'
            -- a listing that shows the excluded confirms an absence: that is no return
            when vanished_before and coalesce(known_status_code <> 'EXCLUIDO', true) then 'reappeared'
            when vanished_before or has_new_status_code then 'status_change'
            else 'attribute_change'
        end as change_type
    from returned
    where number_before is null or vanished_before
        {% for column in state %}or has_new_{{ column }} {% endfor %}

    union all

    select
        *,
        absence_number as change_number,
        last_number as listed_number,
        last_number as changed_after_number,
        'vanished' as change_type
    from returned
    where vanishes_after
),

dated as (
    select
        changes.*,
        changes.change_type <> 'vanished' as is_listed,
        changed.source_as_of as valid_from,
        lead(changed.source_as_of) over (
            partition by changes.registration_key, changes.is_synthetic order by changes.change_number
        ) as valid_to,
        before.source_as_of as changed_after,
        listed.layout_code,
        changed.ingested_at,
        changed.landing_sha256
    from changes
    inner join files as changed
        on changes.change_number = changed.file_number and changes.is_synthetic = changed.is_synthetic
    inner join files as listed
        on changes.listed_number = listed.file_number and changes.is_synthetic = listed.is_synthetic
    left join files as before
        on changes.changed_after_number = before.file_number and changes.is_synthetic = before.is_synthetic
)

select
    registration_key,
    valid_from,
    valid_to,
    changed_after,
    change_type,
    is_listed,
    case when is_listed then known_status_code end as status_code,
    case when is_listed then coalesce(known_status_code, 'SIN_ESTADO') else 'AUSENTE' end as registry_state,
    known_party_key as party_key,
    known_mining_right_id_ingemmet as mining_right_id_ingemmet,
    is_free_area,
    known_place_code as place_code,
    department_code,
    known_activity_code as activity_code,
    inscription_year,
    key_method,
    layout_code,
    valid_to is null as is_current,
    valid_from as source_as_of,
    ingested_at,
    is_synthetic,
    landing_sha256,
    case when is_listed then row_number end as row_number
from dated
{%- endmacro %}
