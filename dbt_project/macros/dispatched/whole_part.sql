{#
  The part of a whole number that falls to `share` of `total`, cut towards zero: whole x share / total without loss, also
  where the product has more than 18 digits. What the cuts leave over goes to the largest share.
#}
{% macro whole_part(whole, share, total) -%}
    {{ return(adapter.dispatch('whole_part', 'antawasi')(whole, share, total)) }}
{%- endmacro %}

{# In 64 bits wherever the product fits: DuckDB divides 128 bits one by one, thirty times slower. #}
{% macro duckdb__whole_part(whole, share, total) -%}
    case
        when abs(cast({{ whole }} as double) * {{ share }}) < 9e18
            then cast({{ whole }} as bigint) * cast({{ share }} as bigint) // cast({{ total }} as bigint)
        else cast(cast({{ whole }} as hugeint) * {{ share }} // {{ total }} as bigint)
    end
{%- endmacro %}

{% macro default__whole_part(whole, share, total) -%}
    cast(cast({{ whole }} as decimal(38, 0)) * {{ share }} // {{ total }} as bigint)
{%- endmacro %}
