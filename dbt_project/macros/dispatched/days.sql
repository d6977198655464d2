{# One row for every day from `first` to `last`, both included; to be selected, not joined. #}
{% macro days_from(first, last) -%}
    {{ return(adapter.dispatch('days_from', 'antawasi')(first, last)) }}
{%- endmacro %}

{% macro duckdb__days_from(first, last) -%}
    cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as date)
{%- endmacro %}

{% macro default__days_from(first, last) -%}
    explode(sequence({{ first }}, {{ last }}, interval 1 day))
{%- endmacro %}

{# The same day a number of months later; the last day of the month where that month is shorter. #}
{% macro months_after(day, months) -%}
    {{ return(adapter.dispatch('months_after', 'antawasi')(day, months)) }}
{%- endmacro %}

{% macro duckdb__months_after(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{% macro default__months_after(day, months) -%}
    add_months({{ day }}, {{ months }})
{%- endmacro %}

{# Days from one date to another, the first not counted. #}
{% macro days_between(first, last) -%}
    {{ return(adapter.dispatch('days_between', 'antawasi')(first, last)) }}
{%- endmacro %}

{% macro duckdb__days_between(first, last) -%}
    date_diff('day', {{ first }}, {{ last }})
{%- endmacro %}

{% macro default__days_between(first, last) -%}
    datediff({{ last }}, {{ first }})
{%- endmacro %}
