{{ config(materialized='incremental', meta={'keeps_record': true}, post_hook="{{ registry_keep_record() }}") }}
-- depends_on: {{ ref('int_registry__inputs') }}
-- Which files are whole (macro registry_judged). A file is judged once, when it comes.
{% set files, runs = ref('int_registry__files'), ref('int_registry__runs') %}
{% set rules = ref('registry_snapshot_rules') %}
{% if is_incremental() %}
    with new_files as {{ registry_new_files() }},

    first_new as (
        select
            is_synthetic,
            min(file_number) as file_number
        from new_files
        group by is_synthetic
    ),

    near_runs as (
        select runs.*
        from {{ runs }} as runs
        inner join first_new
            on
                runs.is_synthetic = first_new.is_synthetic
                and coalesce(runs.last_number, first_new.file_number) >= first_new.file_number - (
                    select threshold from {{ rules }} where rule_code = 'LOOK_BACK_FILES'
                )
    ),

    judged as (
        {{ registry_judged('new_files', 'near_runs', rules) }}
    )

    select judged.* from judged
{% else %}
    {{ registry_judged(files, runs, rules) }}
{% endif %}
