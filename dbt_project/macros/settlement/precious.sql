{# Payable silver, g per dry tonne: the lesser of grade x payable and grade - deduction; never below zero. C6. #}
{% macro silver_payable_g_per_dmt(ag_g_per_dmt, payable_pct, deduction_g_per_dmt) -%}
    cast(greatest(
        least({{ wide(ag_g_per_dmt) }} * {{ payable_pct }} * 0.01, {{ ag_g_per_dmt }} - {{ deduction_g_per_dmt }}), 0
    ) as decimal(18, 8))
{%- endmacro %}

{# Payable gold, g per dry tonne: grade x payable where the grade reaches the minimum, else nothing. C6. #}
{% macro gold_payable_g_per_dmt(au_g_per_dmt, payable_pct, minimum_g_per_dmt) -%}
    cast(
        case when {{ au_g_per_dmt }} >= {{ minimum_g_per_dmt }} then {{ wide(au_g_per_dmt) }} * {{ payable_pct }} * 0.01 else 0 end
        as decimal(18, 8)
    )
{%- endmacro %}

{# Credit of a precious metal, US$: payable ounces x (price - refining). C6. #}
{% macro precious_credit_usd(payable_g, usd_per_oz, refining_usd_per_oz) -%}
    cast({{ wide(payable_g) }} * ({{ usd_per_oz }} - {{ refining_usd_per_oz }}) / {{ g_per_oz() }} as decimal(18, 8))
{%- endmacro %}
