{# Pounds in a metric tonne: the exact definition of the avoirdupois pound (DOMAIN C: 2,204.62262). #}
{% macro lb_per_t() %}cast(2204.622621849 as decimal(14, 9)){% endmacro %}

{# Grams in a troy ounce, by definition. #}
{% macro g_per_oz() %}cast(31.1034768 as decimal(9, 7)){% endmacro %}

{# A factor of a product of decimals, wide enough: DuckDB holds a product of two narrow ones in 18 digits and overflows. #}
{% macro wide(factor) %}cast({{ factor }} as decimal(38, 10)){% endmacro %}

{# The value, or zero where it is below; null stays null, which greatest() turns into zero. #}
{% macro not_below_zero(value) %}case when {{ value }} < 0 then 0 else {{ value }} end{% endmacro %}
