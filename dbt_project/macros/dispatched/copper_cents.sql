{# What copper is worth at a price, whole cents, half away from zero: grams x US$ per tonne. Null where the price is not known. #}
{% macro copper_cents(copper_g, usd_per_t) -%}
    {{ return(adapter.dispatch('copper_cents', 'antawasi')(copper_g, usd_per_t)) }}
{%- endmacro %}

{#
  Of 18 digits wherever it has no more, which is below 900,000 US$: DuckDB multiplies two decimals of at most 18 digits in 18,
  and rounds what is wider a hundred times slower.
#}
{% macro duckdb__copper_cents(copper_g, usd_per_t) -%}
    case
        when abs(cast({{ copper_g }} as double) * {{ usd_per_t }}) < 9e11
            then {{ antawasi.copper_cents_in(18, copper_g, usd_per_t) }}
        else {{ antawasi.copper_cents_in(20, copper_g, usd_per_t) }}
    end
{%- endmacro %}

{% macro default__copper_cents(copper_g, usd_per_t) -%}
    {{ antawasi.copper_cents_in(20, copper_g, usd_per_t) }}
{%- endmacro %}

{% macro copper_cents_in(digits, copper_g, usd_per_t) -%}
    cast(
        round(
            cast({{ copper_g }} as decimal({{ digits }}, 0)) * cast({{ usd_per_t }} as decimal(18, 6)) * cast(0.0001 as decimal(5, 4)),
            0
        ) as bigint
    )
{%- endmacro %}
