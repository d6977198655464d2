{# What a lot or a description says by its metals; copper without gold says nothing of gold. #}
{% macro says_by_metals(has_copper, has_gold, both) -%}
    case
        when {{ has_copper }} and {{ has_gold }} then '{{ both }}'
        when {{ has_copper }} then 'CON_COBRE'
        else 'ORO'
    end
{%- endmacro %}
