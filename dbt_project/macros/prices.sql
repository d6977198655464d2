{# On what a day's value rests: quoted that day, carried from the last quotation, or its month's mean. #}
{% macro price_basis(quotation, monthly) -%}
    case
        when {{ quotation }}.period_date = days.price_date then 'DAILY'
        when {{ quotation }}.period_date is not null then 'CARRIED'
        when {{ monthly }} is not null then 'MONTHLY'
    end
{%- endmacro %}
