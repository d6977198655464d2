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

{# One row for the first day of every month from that of `first` to that of `last`; to be selected, not joined. #}
{% macro months_from(first, last) -%}
    {{ return(adapter.dispatch('months_from', 'antawasi')(first, last)) }}
{%- endmacro %}

{% macro duckdb__months_from(first, last) -%}
    cast(unnest(generate_series(date_trunc('month', {{ first }}), date_trunc('month', {{ last }}), interval 1 month)) as date)
{%- endmacro %}

{% macro default__months_from(first, last) -%}
    explode(sequence(
        cast(date_trunc('month', {{ first }}) as date), cast(date_trunc('month', {{ last }}) as date), interval 1 month
    ))
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
    date_diff('day', {{ first }}, {{ last }})
{%- endmacro %}
