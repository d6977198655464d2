{# The text under a key of a JSON object; null where there is none. #}
{% macro json_value(column, key) -%}
    {{ return(adapter.dispatch('json_value', 'antawasi')(column, key)) }}
{%- endmacro %}

{% macro duckdb__json_value(column, key) -%}
    json_extract_string({{ column }}, '$."{{ key }}"')
{%- endmacro %}

{% macro default__json_value(column, key) -%}
    get_json_object({{ column }}, '$.{{ key }}')
{%- endmacro %}
