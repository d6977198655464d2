{{ config(materialized='incremental', meta={'keeps_record': true}, post_hook="{{ registry_keep_record() }}") }}
-- depends_on: {{ ref('int_registry__inputs') }}
-- The registry's codes that files show for a party on a right, each with the first file that shows it. A row is never
-- changed: what a new file shows first is appended.
{% set files, places = ref('int_registry__files'), ref('int_places__names_matched') %}
{% if is_incremental() %}
    {% set pairs = registry_pairs(registry_rows(), registry_new_files(), places) %}
    {{ registry_codes('(' ~ pairs ~ ')', held=this) }}
{% else %}
    {% set pairs = registry_pairs(registry_rows(), files, places) %}
    {{ registry_codes('(' ~ pairs ~ ')') }}
{% endif %}
