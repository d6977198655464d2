{# An amount in US$ as whole cents, half away from zero. #}
{% macro cents_of(usd) -%}
    cast(round(cast({{ usd }} as decimal(38, 10)) * 100, 0) as bigint)
{%- endmacro %}

{# An amount that is in whole cents already, decimal(18, 2), as a number of them. #}
{% macro whole_cents(usd) -%}
    cast({{ usd }} * 100 as bigint)
{%- endmacro %}

{#
  Whole cents as an amount in US$. DuckDB multiplies decimals of 18 digits in all in 64 bits, six times faster than in 128;
  an absurd amount takes the longer way and stops nobody's build.
#}
{% macro usd_of(cents) -%}
    case
        when cast({{ cents }} as bigint) between -9999999999999999 and 9999999999999999
            then cast(cast({{ cents }} as bigint) as decimal(16, 0)) * cast(0.01 as decimal(2, 2))
        else cast(cast({{ cents }} as decimal(20, 0)) * cast(0.01 as decimal(3, 2)) as decimal(18, 2))
    end
{%- endmacro %}

{# Whole grams as tonnes, with the longer way for what is beyond a million of them. #}
{% macro tonnes_of(g) -%}
    case
        when cast({{ g }} as bigint) between -999999999999 and 999999999999
            then cast(cast({{ g }} as bigint) as decimal(12, 0)) * cast(0.000001 as decimal(6, 6))
        else cast(cast({{ g }} as decimal(20, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6))
    end
{%- endmacro %}

{# So much for each unit, null for none of them; the last step of a figure, of sums that are exact. #}
{% macro per_unit(amount, units, type='decimal(18, 4)') -%}
    cast(cast({{ amount }} as double) / nullif(cast({{ units }} as double), 0) as {{ type }})
{%- endmacro %}
