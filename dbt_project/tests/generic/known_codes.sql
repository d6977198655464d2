{# Codes are those of the contract, in all coded columns of a table by one scan: rows with another one. #}
{% test known_codes(model, codes) %}
select {{ codes | join(', ') }}
from {{ model }}
where
    {% for column, known in codes.items() -%}
        {{ 'or ' if not loop.first }}{{ column }} not in ('{{ known | join("', '") }}')
    {% endfor %}
{% endtest %}
