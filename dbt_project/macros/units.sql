{# Pounds in a metric tonne: the exact definition of the avoirdupois pound (DOMAIN C: 2,204.62262). #}
{% macro lb_per_t() %}cast(2204.622621849 as decimal(14, 9)){% endmacro %}

{# Grams in a troy ounce, by definition. #}
{% macro g_per_oz() %}cast(31.1034768 as decimal(9, 7)){% endmacro %}

{# A factor of a product. DuckDB multiplies decimals in 18 digits and stops on overflow, or in 38 and is ten times slower. #}
{% macro real(factor) %}cast({{ factor }} as double){% endmacro %}

{#
  Money, masses and grades out of such a product: eight decimals, more than any sheet prints, so that what is exact on paper
  is exact again. Null beyond ten digits before the point, where nothing real lies: one absurd row stops nobody's build.
#}
{% macro fixed(value) %}try_cast({{ value }} as decimal(18, 8)){% endmacro %}

{# A binary number at twelve places, so that neither the order of rows in a sum nor its last bit in a rounding counts. #}
{% macro steady(value) %}cast({{ value }} as decimal(28, 12)){% endmacro %}

{# Money to the cent, half away from zero. #}
{% macro cents(value) %}cast(round({{ fixed(value) }}, 2) as decimal(18, 2)){% endmacro %}

{# A factor of an exact product of decimals, for the few that must not pass through binary. #}
{% macro wide(factor) %}cast({{ factor }} as decimal(38, 10)){% endmacro %}

{# The value, or zero where it is below; null stays null, which greatest() turns into zero. #}
{% macro not_below_zero(value) %}case when {{ value }} < 0 then 0 else {{ value }} end{% endmacro %}
