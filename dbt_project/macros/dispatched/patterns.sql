{# Whether a regular expression is found in a text. #}
{% macro matches(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }})
{%- endmacro %}

{# One row for every object of a JSON array, as text; to be selected, not joined. #}
{% macro json_items(column) -%}
    {{ return(adapter.dispatch('json_items', 'antawasi')(column)) }}
{%- endmacro %}

{% macro duckdb__json_items(column) -%}
    unnest(json_extract({{ column }}, '$[*]'))
{%- endmacro %}

{% macro default__json_items(column) -%}
    explode(from_json({{ column }}, 'array<string>'))
{%- endmacro %}
