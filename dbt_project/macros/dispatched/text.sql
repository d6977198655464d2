{# One row for every part of a text; to be selected, not joined. #}
{% macro parts_of(text, separator) -%}
    {{ return(adapter.dispatch('parts_of', 'antawasi')(text, separator)) }}
{%- endmacro %}

{% macro duckdb__parts_of(text, separator) -%}
    unnest(string_split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{% macro default__parts_of(text, separator) -%}
    explode(split({{ text }}, '{{ separator }}'))
{%- endmacro %}
