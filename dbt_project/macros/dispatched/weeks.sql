{# Number of the week of a day, counted from a fixed Monday: a block in which near days meet. #}
{% macro week_of(day) -%}
    {{ return(adapter.dispatch('week_of', 'antawasi')(day)) }}
{%- endmacro %}

{% macro duckdb__week_of(day) -%}
    ({{ day }} - date '2001-01-01') // 7
{%- endmacro %}

{% macro default__week_of(day) -%}
    cast(floor({{ days_between("date '2001-01-01'", day) }} / 7) as int)
{%- endmacro %}

{# One row for every week from the week of `first` to that of `last`; to be selected, not joined. #}
{% macro weeks_from(first, last) -%}
    {{ return(adapter.dispatch('weeks_from', 'antawasi')(first, last)) }}
{%- endmacro %}

{% macro duckdb__weeks_from(first, last) -%}
    unnest(range({{ week_of(first) }}, {{ week_of(last) }} + 1))
{%- endmacro %}

{% macro default__weeks_from(first, last) -%}
    explode(sequence({{ week_of(first) }}, {{ week_of(last) }}))
{%- endmacro %}
