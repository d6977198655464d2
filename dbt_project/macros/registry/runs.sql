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

-- what is said of a registration, once, with the places where it is said: few rows, to which the wide columns are tied
said as (
    select
        registration_key,
        is_synthetic,
        {% for column in said -%}
            any_value({{ column }}) as {{ column }},
        {% endfor -%}
        list_sort(list({
            'first_number': first_number, 'last_number': last_number, 'row_number': row_number
        })) as places
    from {{ listings }} as listings
    group by registration_key, is_synthetic, {{ grouped_alike(said) }}
),

runs as (
    select
        registration_key,
        is_synthetic,
        {{ said | join(', ') }},
        {{ ends_of_runs('places') }}
    from said
)

select
    runs.registration_key,
    runs.is_synthetic,
    runs.first_place.first_number as first_number,
    nullif(runs.last_place.last_number, newest.file_number) as last_number,
    runs.first_place.row_number as row_number,
    {% for column in said -%}
        runs.{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from runs
inner join newest on runs.is_synthetic = newest.is_synthetic
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
