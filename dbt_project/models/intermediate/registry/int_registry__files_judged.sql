{{ config(materialized='incremental', meta={'keeps_record': true}, post_hook="{{ registry_keep_record() }}") }}
-- depends_on: {{ ref('int_registry__inputs') }}
-- Which files are whole (macro registry_judged). New files are judged against those that they look back on.
{% set files, places = ref('int_registry__files'), ref('int_places__names_matched') %}
{% set codes, rules = ref('int_registry__codes'), ref('registry_snapshot_rules') %}
{% if is_incremental() %}
    {% set near_files %}
(
    select files.*
    from {{ files }} as files
    inner join (
        select is_synthetic, min(file_number) as first_number
        from {{ registry_new_files() }} as new_files
        group by is_synthetic
    ) as new_files
        on
            files.is_synthetic = new_files.is_synthetic
            and files.file_number >= new_files.first_number - (
                select threshold from {{ rules }} where rule_code = 'LOOK_BACK_FILES'
            )
)
    {% endset %}
    {% set keyed = registry_keyed(registry_rows(), near_files, places, codes) %}
    {{ registry_judged(registry_new_files(), '(' ~ keyed ~ ')', rules) }}
{% else %}
    {{ registry_judged(files, ref('int_registry__listings_keyed'), rules) }}
{% endif %}
