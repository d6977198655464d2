{#
  How sheets round. EXACTO: nothing. TRUNCADO: the protected price and the value per tonne are cut at the cent (a Peruvian
  plant's sheet, oracle O3). POR_LINEA: as TRUNCADO, and every line is shown, and used, at the cent. A cut goes down, also
  below zero. Against EXACTO a cut value is at most 0.01 x payable grade / 100 + 0.01 US$ per dry tonne lower.
#}
{% macro cut_at_cent(usd) -%}
    {#- A hair above, less than the eighth decimal: 9259.40 in binary lies below itself. -#}
    {{ fixed('floor(' ~ real(usd) ~ ' * 100 + 0.0000001) / 100') }}
{%- endmacro %}

{% macro rounded_price(usd_per_t, rounding_code) -%}
    case when {{ rounding_code }} = 'EXACTO' then {{ usd_per_t }} else {{ cut_at_cent(usd_per_t) }} end
{%- endmacro %}

{% macro rounded_line(usd_per_dmt, rounding_code) -%}
    case when {{ rounding_code }} = 'POR_LINEA' then {{ fixed('round(' ~ usd_per_dmt ~ ', 2)') }} else {{ usd_per_dmt }} end
{%- endmacro %}

{% macro rounded_unit_value(usd_per_dmt, rounding_code) -%}
    case when {{ rounding_code }} = 'EXACTO' then {{ fixed(usd_per_dmt) }} else {{ cut_at_cent(fixed(usd_per_dmt)) }} end
{%- endmacro %}

{# A value per tonne as sheets show it: at its fourth decimal. #}
{% macro shown_unit_value(usd_per_dmt) -%}
    cast(round({{ usd_per_dmt }}, 4) as decimal(18, 4))
{%- endmacro %}
