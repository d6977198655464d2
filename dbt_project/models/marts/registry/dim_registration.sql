{{ config(
    materialized='incremental',
    unique_key=['registration_key', 'is_synthetic'],
    post_hook=["{{ registry_forget_natural() }}", "{{ registry_keep_record() }}", "{{ known_on_macro() }}", "{{ registry_on_macro() }}"],
    meta={'keeps_record': true, 'trace': {'parent': 'stg_reinfo__registrations', 'on': ['landing_sha256', 'row_number']}}
) }}
-- depends_on: {{ ref('int_registry__inputs') }}
-- The registry's history: one row per registration and interval of valid time in which nothing about it changed (macro
-- registry_history). A registration is not a person. New files change the history of a few registrations: theirs is
-- told anew from all their runs, that of the others stays.
-- The table macro `marts.registry_known_on` holds the same rules, over the files that were known on a day;
-- `marts.registry_on` gives the rows of a day.
{% set files, judged = ref('int_registry__files'), ref('int_registry__files_judged') %}
{% set runs, codes = ref('int_registry__runs'), ref('int_registry__codes') %}
{% if is_incremental() %}
    with new_files as {{ registry_new_files() }},

    new_listings as (
        select
            runs.*,
            new_files.file_number
        from {{ runs }} as runs
        inner join new_files
            on
                runs.is_synthetic = new_files.is_synthetic
                and runs.first_number <= new_files.file_number
                and coalesce(runs.last_number >= new_files.file_number, true)
    ),

    affected as (
        {{ registry_affected('new_files', 'new_listings', this, judged, codes) }}
    ),

    affected_runs as (
        select runs.*
        from {{ runs }} as runs
        inner join affected
            on runs.registration_key = affected.registration_key and runs.is_synthetic = affected.is_synthetic
    )

    select * from ({{ registry_history('affected_runs', judged) }}) as told
{% else %}
    select * from ({{ registry_history(runs, judged) }}) as told
    order by registration_key, valid_from
{% endif %}
