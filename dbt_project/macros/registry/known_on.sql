{#
  What was believed on the day (or at the moment, UTC) `known_on` about the day `valid_on`: one row per registration, as
  dim_registration would have had it with the files received by then, under today's rules and codes of places. Which
  file stands for a date, which are whole, keys and absences are all judged with those files alone. A day is meant to
  its end.
#}
{% macro registry_known_on() -%}
{% set places, rules = ref('int_places__names_matched'), ref('registry_snapshot_rules') -%}
with known_rows as not materialized (
    select * from {{ ref('stg_reinfo__registrations') }}
    where
        ingested_at < case
            when length(cast(known_on as varchar)) = 10 then cast(known_on as date) + interval 1 day
            else cast(known_on as timestamp) + interval 1 microsecond
        end
),

known_contents as ({{ registry_file_contents('known_rows') }}),

known_files as ({{ registry_files('known_contents') }}),

known_pairs as ({{ registry_pairs('known_rows', 'known_files', places) }}),

known_codes as ({{ registry_codes('known_pairs') }}),

known_keyed as not materialized ({{ registry_keyed('known_rows', 'known_files', places, 'known_codes') }}),

known_runs as ({{ registry_runs(registry_single('known_keyed'), 'known_files') }}),

known_judged as ({{ registry_judged('known_files', 'known_runs', rules) }}),

known_history as ({{ registry_history('known_runs', 'known_judged') }})

select *
from known_history
where {{ valid_on('valid_on') }}
{%- endmacro %}
