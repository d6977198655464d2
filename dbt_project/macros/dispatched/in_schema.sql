{# A relation named by its schema alone, wherever the file that holds it is opened from. #}
{% macro in_schema(relation) -%}
    {{ return(relation.include(database=false)) }}
{%- endmacro %}
