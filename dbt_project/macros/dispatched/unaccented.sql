{# What engines spell differently goes through dispatch, never through `if target` in a model. #}
{% macro unaccented(column) -%}
    {{ return(adapter.dispatch('unaccented', 'antawasi')(column)) }}
{%- endmacro %}

{% macro duckdb__unaccented(column) -%}
    strip_accents({{ column }})
{%- endmacro %}

{% macro default__unaccented(column) -%}
    translate({{ column }}, 'áéíóúüñÁÉÍÓÚÜÑ', 'aeiouunAEIOUUN')
{%- endmacro %}
