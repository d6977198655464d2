{# An amount in US$ as whole cents, half away from zero. #}
{% macro cents_of(usd) -%}
    cast(round(cast({{ usd }} as decimal(38, 10)) * 100, 0) as bigint)
{%- endmacro %}

{# An amount that is in whole cents already, decimal(18, 2), as a number of them. #}
{% macro whole_cents(usd) -%}
    cast({{ usd }} * 100 as bigint)
{%- endmacro %}

{# Whole cents as an amount in US$. #}
{% macro usd_of(cents) -%}
    cast(cast({{ cents }} as decimal(18, 0)) * cast(0.01 as decimal(3, 2)) as decimal(18, 2))
{%- endmacro %}

{# Whole grams as tonnes. #}
{% macro tonnes_of(g) -%}
    cast(cast({{ g }} as decimal(18, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6))
{%- endmacro %}

{# So much for each unit, null for none of them; the last step of a figure, of sums that are exact. #}
{% macro per_unit(amount, units, type='decimal(18, 4)') -%}
    cast(cast({{ amount }} as double) / nullif(cast({{ units }} as double), 0) as {{ type }})
{%- endmacro %}
