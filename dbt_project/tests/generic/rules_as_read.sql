{# The seed has every rule that models read (macro rule_codes) once, and none that nobody reads. #}
{% test rules_as_read(model, column_name) %}
with wanted as (
    select unnest(['{{ rule_codes()[model.identifier] | join("', '") }}']) as rule_code
)

select
    coalesce(wanted.rule_code, held.{{ column_name }}) as rule_code,
    count(held.{{ column_name }}) as rows_with_rule
from wanted
full join {{ model }} as held on wanted.rule_code = held.{{ column_name }}
group by 1
having count(wanted.rule_code) = 0 or count(held.{{ column_name }}) <> 1
{% endtest %}
