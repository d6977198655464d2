{# Payable silver, g per dry tonne: the lesser of grade x payable and grade - deduction; never below zero. C6. #}
{% macro silver_payable_g_per_dmt(ag_g_per_dmt, payable_pct, deduction_g_per_dmt) -%}
    {{ fixed(
        'greatest(least(' ~ real(ag_g_per_dmt) ~ ' * ' ~ payable_pct ~ ' / 100, ' ~ ag_g_per_dmt ~ ' - ' ~ deduction_g_per_dmt ~ '), 0)'
    ) }}
{%- endmacro %}

{# Payable gold, g per dry tonne: grade x payable where the grade reaches the minimum, else nothing. C6. #}
{% macro gold_payable_g_per_dmt(au_g_per_dmt, payable_pct, minimum_g_per_dmt) -%}
    {{ fixed(
        'case when ' ~ au_g_per_dmt ~ ' >= ' ~ minimum_g_per_dmt ~ ' then ' ~ real(au_g_per_dmt) ~ ' * ' ~ payable_pct ~ ' / 100 else 0 end'
    ) }}
{%- endmacro %}

{# Credit of a precious metal, US$: payable ounces x (price - refining). C6. #}
{% macro precious_credit_usd(payable_g, usd_per_oz, refining_usd_per_oz) -%}
    {{ fixed(
        real(payable_g) ~ ' / ' ~ g_per_oz() ~ ' * (' ~ usd_per_oz ~ ' - ' ~ refining_usd_per_oz ~ ')'
    ) }}
{%- endmacro %}
