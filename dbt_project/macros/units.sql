{# Pounds in a metric tonne: the exact definition of the avoirdupois pound (DOMAIN C: 2,204.62262). #}
{% macro lb_per_t() %}cast(2204.622621849 as decimal(14, 9)){% endmacro %}
