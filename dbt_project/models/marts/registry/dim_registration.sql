{{ config(meta={'trace': {'parent': 'stg_reinfo__registrations', 'on': ['landing_sha256', 'row_number']}}) }}
-- The registry's history: one row per registration and interval of valid time in which nothing about it changed, from
-- the files that are used, in the order of their own dates, whatever the order in which they arrived. A registration
-- is not a person. It vanishes when a whole file of a layout in which absence says something does not list it;
-- `changed_after` is the date of the last file that showed the state before.
{% set state = ['status_code', 'party_key', 'mining_right_id_ingemmet', 'place_code', 'activity_code'] %}
with files as (
    select * from {{ ref('int_registry__files_judged') }}
),

-- For each file, the next whole one in which absence says something.
absences as (
    select
        file_number,
        is_synthetic,
        min(case when is_complete and absence_counts then file_number end) over later as absence_number,
        min(case when is_complete and absence_counts then source_as_of end) over later as absence_date,
        arg_min(ingested_at, file_number) filter (where is_complete and absence_counts)
            over later
            as absence_ingested_at,
        arg_min(landing_sha256, file_number) filter (where is_complete and absence_counts) over later
            as absence_landing_sha256
    from files
    window later as (
        partition by is_synthetic order by file_number rows between 1 following and unbounded following
    )
),

seen as (
    select
        listings.*,
        -- attributes that a layout does not carry stay as they were last known
        {% for column in state -%}
            coalesce(
                listings.{{ column }},
                last_value(listings.{{ column }} ignore nulls) over before
            ) as known_{{ column }},
        {% endfor -%}
        lag(listings.file_number) over (
            partition by listings.registration_key, listings.is_synthetic order by listings.file_number
        ) as previous_number,
        lead(listings.file_number) over (
            partition by listings.registration_key, listings.is_synthetic order by listings.file_number
        ) as next_number
    from {{ ref('int_registry__listings_keyed') }} as listings
    inner join files
        on listings.file_number = files.file_number and listings.is_synthetic = files.is_synthetic
    window before as (
        partition by listings.registration_key, listings.is_synthetic order by listings.file_number
        rows between unbounded preceding and 1 preceding
    )
),

linked as (
    select
        seen.*,
        absences.absence_number,
        absences.absence_date,
        absences.absence_ingested_at,
        absences.absence_landing_sha256,
        -- who is known as excluded, or was never on the map, is not missed on the map
        absences.absence_number < coalesce(seen.next_number, 2147483647)
        and coalesce(seen.known_status_code <> 'EXCLUIDO', true)
        and seen.key_method <> 'natural' as vanishes_after
    from seen
    inner join absences
        on seen.file_number = absences.file_number and seen.is_synthetic = absences.is_synthetic
),

followed as (
    select
        *,
        lag(vanishes_after) over registration as vanished_before,
        lag(source_as_of) over registration as previous_date,
    {% for column in state -%}
        lag(known_{{ column }}) over registration as previous_{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
    from linked
    window registration as (partition by registration_key, is_synthetic order by file_number)
),

compared as (
    select
        *,
        coalesce(previous_status_code, '') <> coalesce(known_status_code, '') as has_new_status,
        {% for column in state[1:] -%}
            coalesce(previous_{{ column }}, '') <> coalesce(known_{{ column }}, '')
            {{ 'or ' if not loop.last }}
        {%- endfor %} as has_new_attributes
    from followed
),

changes as (
    select
        registration_key,
        is_synthetic,
        source_as_of as valid_from,
        case when vanished_before then null else previous_date end as changed_after,
        case
            when previous_number is null then 'new'
            -- a listing that shows the excluded confirms an absence: that is no return
            when vanished_before and coalesce(known_status_code <> 'EXCLUIDO', true) then 'reappeared'
            when vanished_before or has_new_status then 'status_change'
            else 'attribute_change'
        end as change_type,
        true as is_listed,
        {% for column in state -%}
            known_{{ column }} as {{ column }},
        {% endfor -%}
        department_code,
        is_free_area,
        inscription_year,
        layout_code,
        key_method,
        source_as_of,
        ingested_at,
        landing_sha256,
        row_number
    from compared
    where previous_number is null or vanished_before or has_new_status or has_new_attributes

    union all

    select
        registration_key,
        is_synthetic,
        absence_date as valid_from,
        source_as_of as changed_after,
        'vanished' as change_type,
        false as is_listed,
        cast(null as varchar) as status_code,
        {% for column in state[1:] -%}
            known_{{ column }} as {{ column }},
        {% endfor -%}
        department_code,
        is_free_area,
        inscription_year,
        layout_code,
        key_method,
        absence_date as source_as_of,
        absence_ingested_at as ingested_at,
        absence_landing_sha256 as landing_sha256,
        cast(null as bigint) as row_number
    from compared
    where vanishes_after
)

select
    registration_key,
    valid_from,
    lead(valid_from) over registration as valid_to,
    changed_after,
    change_type,
    is_listed,
    status_code,
    case when is_listed then coalesce(status_code, 'SIN_ESTADO') else 'AUSENTE' end as registry_state,
    party_key,
    mining_right_id_ingemmet,
    is_free_area,
    place_code,
    department_code,
    activity_code,
    inscription_year,
    key_method,
    layout_code,
    lead(valid_from) over registration is null as is_current,
    source_as_of,
    ingested_at,
    is_synthetic,
    landing_sha256,
    row_number
from changes
window registration as (partition by registration_key, is_synthetic order by valid_from)
order by registration_key, valid_from
