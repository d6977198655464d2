{#
  A macro of the warehouse's own SQL for analysts, with its comment (Spanish / English) as tables have theirs; copied with
  the tables. Made by the post-hook of the model that it reads. Engines without macros have the models alone.

  kind: 'table' for rows, '' for a value. sql names relations with their database, which the analysts' file has not.
#}
{% macro analysts_macro(name, parameters, kind, sql, told_es, told_en) -%}
    {{ return(adapter.dispatch('analysts_macro', 'antawasi')(name, parameters, kind, sql, told_es, told_en)) }}
{%- endmacro %}

{% macro duckdb__analysts_macro(name, parameters, kind, sql, told_es, told_en) -%}
    use {{ this.database }};
    create schema if not exists marts;
    create or replace macro marts.{{ name }}({{ parameters | join(', ') }}) as {{ kind }}
    {{ sql | replace('"' ~ this.database ~ '".', '') }};
    comment on macro {{ kind }} marts.{{ name }} is '{{ (told_es ~ ' / ' ~ told_en) | replace("'", "''") }}'
{%- endmacro %}

{% macro default__analysts_macro(name, parameters, kind, sql, told_es, told_en) %}{% endmacro %}
