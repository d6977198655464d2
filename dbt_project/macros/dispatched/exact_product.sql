{#
  The product of two decimals of six places, at six places, half away from zero and exact. Not in binary: amounts that are
  compared with one another to the last place come from it.
#}
{% macro exact_product(a, b) -%}
    {{ return(adapter.dispatch('exact_product', 'antawasi')(a, b)) }}
{%- endmacro %}

{# Of 18 digits wherever it has no more: DuckDB rounds what is wider a hundred times slower. #}
{% macro duckdb__exact_product(a, b) -%}
    case
        when abs(cast({{ a }} as double) * {{ b }}) < 9e5
            then cast(cast({{ a }} as decimal(18, 6)) * cast({{ b }} as decimal(18, 6)) as decimal(18, 6))
        else cast({{ wide(a) }} * {{ b }} as decimal(18, 6))
    end
{%- endmacro %}

{% macro default__exact_product(a, b) -%}
    cast({{ wide(a) }} * {{ b }} as decimal(18, 6))
{%- endmacro %}
