{#
  A table macro for analysts, in the warehouse's own SQL: what was believed on one day about another. Engines without
  table macros have the raw files and dim_registration alone.
#}
{% macro known_on_macro() -%}
    {{ return(adapter.dispatch('known_on_macro', 'antawasi')()) }}
{%- endmacro %}

{% macro duckdb__known_on_macro() -%}
    {#- without the database's name: the analysts' file has another one -#}
    create or replace macro {{ this.schema }}.registry_known_on(known_on, valid_on) as table
    {{ registry_known_on() | replace('"' ~ this.database ~ '".', '') }}
{%- endmacro %}

{% macro default__known_on_macro() %}select 1{% endmacro %}
