-- The terms of exported lots shared over their origins, like transfers: whole grams and cents, exact per exported lot.
{% set measures = [
    'port_copper_g', 'payable_copper_g', 'metal_cents', 'tc_rc_cents', 'penalties_cents', 'credits_cents'
] %}
with parts as (
    select
        exported.lot_key,
        shares.origin_lot_key,
        shares.is_largest,
        exported.is_final,
        exported.is_synthetic,
        {% for measure in measures -%}
            exported.{{ measure }} as whole_{{ measure }},
            {{ whole_part('exported.' ~ measure, 'shares.copper_g', 'shares.lot_copper_g') }} as part_{{ measure }}
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from {{ ref('int_export__lots_valued') }} as exported
    inner join {{ ref('int_lot__shares') }} as shares
        on
            exported.lot_key = shares.lot_key
            and shares.basis_code = 'LOT'
            and exported.is_synthetic = shares.is_synthetic
)

select
    lot_key,
    origin_lot_key,
    is_final,
    {% for measure in measures -%}
        cast(part_{{ measure }} + case
            when is_largest then whole_{{ measure }} - sum(part_{{ measure }}) over (partition by lot_key, is_synthetic)
            else 0
        end as bigint) as {{ measure }},
    {% endfor -%}
    is_synthetic
from parts
