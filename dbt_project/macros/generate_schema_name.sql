{# A model's schema is the zone that its folder names, not a prefix of the developer's target. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
