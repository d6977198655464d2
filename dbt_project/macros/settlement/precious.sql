{#
  Payable silver, g per dry tonne: the lesser of grade x payable and grade - deduction; never below zero. Null where the
  grade or the payable share is not known, which least() and greatest() would pass over. C6.
#}
{% macro silver_payable_g_per_dmt(ag_g_per_dmt, payable_pct, deduction_g_per_dmt) -%}
    {{ fixed(
        'case when ' ~ ag_g_per_dmt ~ ' is not null and ' ~ payable_pct ~ ' is not null then greatest(least('
        ~ real(ag_g_per_dmt) ~ ' * ' ~ payable_pct ~ ' / 100, ' ~ ag_g_per_dmt ~ ' - ' ~ deduction_g_per_dmt ~ '), 0) end'
    ) }}
{%- endmacro %}

{#
  Payable gold, g per dry tonne: grade x payable where the grade reaches the minimum, else nothing. Null where the grade or
  the payable share is not known. C6.
#}
{% macro gold_payable_g_per_dmt(au_g_per_dmt, payable_pct, minimum_g_per_dmt) -%}
    {{ fixed(
        'case when ' ~ au_g_per_dmt ~ ' >= ' ~ minimum_g_per_dmt ~ ' then ' ~ real(au_g_per_dmt) ~ ' * ' ~ payable_pct ~ ' / 100'
        ~ ' when ' ~ au_g_per_dmt ~ ' is not null and ' ~ payable_pct ~ ' is not null then 0 end'
    ) }}
{%- endmacro %}

{# Credit of a precious metal, US$: payable ounces x (price - refining). C6. #}
{% macro precious_credit_usd(payable_g, usd_per_oz, refining_usd_per_oz) -%}
    {{ fixed(
        real(payable_g) ~ ' / ' ~ g_per_oz() ~ ' * (' ~ usd_per_oz ~ ' - ' ~ refining_usd_per_oz ~ ')'
    ) }}
{%- endmacro %}
