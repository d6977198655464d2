{#
  A table macro for analysts, in the warehouse's own SQL: the same rules on any date. Engines without table macros have
  the seed alone: one more row of it is one more date.
#}
{% macro purge_macro() -%}
    {{ return(adapter.dispatch('purge_macro', 'antawasi')()) }}
{%- endmacro %}

{% macro duckdb__purge_macro() -%}
    {%- set evaluations -%}
    (
        select distinct
            rule_set_code,
            cast(evaluated_on as date) as evaluation_date,
            required_codes,
            max_suspended_days,
            grace_days,
            true as is_hypothetical
        from {{ ref('purge_rule_sets') }}
        where rule_set_code = rule_set
    )
    {%- endset -%}
    {#- without the database's name: the analysts' file has another one -#}
    create or replace macro {{ this.schema }}.purge_simulated_on(evaluated_on, rule_set) as table
    {{ purge_simulated(evaluations) | replace('"' ~ this.database ~ '".', '') }}
{%- endmacro %}

{% macro default__purge_macro() %}select 1{% endmacro %}
