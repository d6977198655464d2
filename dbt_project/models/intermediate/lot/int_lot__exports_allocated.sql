-- What of the terms of exported lots falls to an origin lot, shared over their origins like transfers: whole grams and
-- cents, exact per exported lot, one row for each origin. An exported lot without a genealogy is its own origin. Where
-- not every lot tells its terms (has_terms) the sums are of those that do.
{% set measures = [
    'port_copper_g', 'payable_copper_g', 'metal_cents', 'tc_rc_cents', 'penalties_cents', 'credits_cents'
] %}
with parts as (
    select
        exported.lot_key,
        coalesce(shares.origin_lot_key, exported.lot_key) as origin_lot_key,
        coalesce(shares.is_largest, true) as is_largest,
        exported.is_final,
        exported.has_terms,
        exported.is_synthetic,
        {% for measure in measures -%}
            exported.{{ measure }} as whole_{{ measure }},
            {{ whole_part(
                'exported.' ~ measure, 'coalesce(shares.copper_g, 1)', 'coalesce(shares.lot_copper_g, 1)'
            ) }} as part_{{ measure }}
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from {{ ref('int_export__lots_valued') }} as exported
    left join {{ ref('int_lot__shares') }} as shares
        on
            exported.lot_key = shares.lot_key
            and shares.basis_code = 'LOT'
            and exported.is_synthetic = shares.is_synthetic
),

-- What the cuts leave over, as one more part of the largest origin.
rests as (
    select
        max(case when is_largest then origin_lot_key end) as origin_lot_key,
        bool_and(is_final) as is_final,
        bool_and(has_terms) as has_terms,
        {% for measure in measures -%}
            max(whole_{{ measure }}) - sum(part_{{ measure }}) as part_{{ measure }},
        {% endfor -%}
        is_synthetic
    from parts
    group by lot_key, is_synthetic
),

shared as (
    {% for cte in ['parts', 'rests'] -%}
        select
            origin_lot_key,
            is_final,
            has_terms,
            {% for measure in measures -%}
                part_{{ measure }},
            {% endfor -%}
            is_synthetic
        from {{ cte }}
        {{ 'union all' if not loop.last }}
    {% endfor -%}
)

select
    origin_lot_key,
    bool_and(is_final) as is_final,
    bool_and(has_terms) as has_terms,
    {% for measure in measures -%}
        cast(sum(part_{{ measure }}) as bigint) as {{ measure }},
    {% endfor -%}
    is_synthetic
from shared
group by origin_lot_key, is_synthetic
