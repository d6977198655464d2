-- Grams and cents of exported lots' terms are those of their origins together, none lost or made; an exported lot
-- without a genealogy has itself as origin.
{% set measures = [
    'port_copper_g', 'payable_copper_g', 'metal_cents', 'tc_rc_cents', 'penalties_cents', 'credits_cents'
] %}
{% set told = {'exported': 'int_export__lots_valued', 'allocated': 'int_lot__exports_allocated'} %}
with {% for name, model in told.items() -%}
    {{ name }} as (
        select
            {% for measure in measures -%}
                sum({{ measure }}) as {{ measure }},
            {% endfor -%}
            is_synthetic
        from {{ ref(model) }}
        group by is_synthetic
    ){{ ',' if not loop.last }}
{% endfor %}

select
    exported.is_synthetic,
    exported.port_copper_g,
    allocated.port_copper_g as allocated_g
from exported
left join allocated on exported.is_synthetic = allocated.is_synthetic
where
    {% for measure in measures -%}
        {{ 'or ' if not loop.first }}exported.{{ measure }} is distinct from allocated.{{ measure }}
    {% endfor %}
