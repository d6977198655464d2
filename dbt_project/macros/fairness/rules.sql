{# A number of ref_price_measure_rule by its code; the reasons are in the seed. #}
{% macro price_measure_rule(rule_code) -%}
    {{ rule_value('ref_price_measure_rule', rule_code) }}
{%- endmacro %}

{# The kinds of transfers in which goods change owner inside the country. #}
{% macro sale_kinds() -%}
    ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT', 'CONCENTRATE')
{%- endmacro %}
