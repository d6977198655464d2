{# What a listing says of a registration: two listings that agree in all of it say the same. #}
{% macro registry_said_columns() -%}
    {{ return([
        'key_method', 'paired_from', 'ambiguous_from', 'status_code', 'party_key', 'mining_right_id_ingemmet',
        'is_free_area', 'place_code', 'department_code', 'activity_code', 'inscription_year'
    ]) }}
{%- endmacro %}

{#
  The listings of a registration as runs: files that follow one another and say the same of it are one row, from
  `first_number` to `last_number`, which is null while the newest file says it too: a new file that repeats what the
  newest one says changes no row. `row_number` is that of the first file.

  `listings` are rows of files, or runs that are to be continued, with their first and last file.
#}
{% macro registry_runs(listings, files) -%}
{% set said = registry_said_columns() -%}
with newest as (
    select
        is_synthetic,
        max(file_number) as file_number
    from {{ files }} as files
    where is_used
    group by is_synthetic
),

compared as (
    select
        *,
        lag(last_number) over registration as number_before,
        lag(said) over registration as said_before,
        lead(first_number) over registration as number_after,
        lead(said) over registration as said_after
    from (
        select
            registration_key,
            is_synthetic,
            first_number,
            last_number,
            row_number,
            {{ said | join(', ') }},
            -- 64 bits: that two listings that differ have one hash is not to be expected in the life of the registry
            hash({{ said | join(', ') }}) as said
        from {{ listings }} as listings
    ) as listed
    window registration as (partition by registration_key, is_synthetic order by first_number)
),

edges as (
    select *
    from (
        select
            *,
            coalesce(number_before <> first_number - 1 or said_before <> said, true) as is_first,
            coalesce(number_after <> last_number + 1 or said_after <> said, true) as is_last
        from compared
    ) as marked
    where is_first or is_last
),

runs as (
    select
        * replace (
            case
                when is_last then last_number
                else lead(last_number) over (partition by registration_key, is_synthetic order by first_number)
            end as last_number
        )
    from edges
)

select
    runs.registration_key,
    runs.is_synthetic,
    runs.first_number,
    nullif(runs.last_number, newest.file_number) as last_number,
    runs.row_number,
    {% for column in said -%}
        runs.{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from runs
inner join newest on runs.is_synthetic = newest.is_synthetic
where runs.is_first
{%- endmacro %}

{# Rows of files as runs of one file. #}
{% macro registry_single(keyed) -%}
(
    select
        keyed.*,
        file_number as first_number,
        file_number as last_number
    from {{ keyed }} as keyed
)
{%- endmacro %}
