-- What became of an exported lot's value by the terms of its own declarations: one row per lot, whole grams and cents,
-- of the lines that hold. A line tells its terms when it says what part is paid and at which price: where one line of a
-- lot does not, nothing but the lot's copper and its FOB is told. The value by the terms may differ from the declared
-- FOB by the rounding of the value per tonne.
with payable as (
    select
        *,
        {{ payable_cu_pct('cu_pct', 'payable_pct', 'deduction_pct', 'payability_rule_code') }} as payable_cu_pct
    from {{ ref('int_export__lines') }}
    where is_held and lot_key is not null
),

valued as (
    select
        *,
        {{ contained('net_dmt', 'cu_pct') }} as copper_t,
        {{ contained('net_dmt', 'payable_cu_pct') }} as payable_t,
        {{ wide('net_dmt') }} * {{ copper_usd_per_dmt('payable_cu_pct', 'copper_usd_per_t') }} as metal_usd,
        {{ wide('net_dmt') }} * coalesce(treatment_usd_per_dmt, 0) as treatment_usd,
        {{ wide('net_dmt') }} * {{ refining_usd_per_dmt('payable_cu_pct', 'refining_usd_per_lb') }} as refining_usd,
        {{ wide('net_dmt') }} * coalesce(penalties_usd_per_dmt, 0) as penalties_usd,
        {{ wide('net_dmt') }} * coalesce(credits_usd_per_dmt, 0) as credits_usd
    from payable
),

summed as (
    select
        lot_key,
        bool_and(version_code = 'REGULARIZADA') as is_final,
        bool_and(metal_usd is not null) as has_terms,
        cast(round(sum({{ wide('copper_t') }}) * 1000000, 0) as bigint) as port_copper_g,
        cast(round(sum({{ wide('payable_t') }}) * 1000000, 0) as bigint) as payable_copper_g,
        {{ cents_of('sum(metal_usd)') }} as metal_cents,
        {{ cents_of('sum(treatment_usd)') }} + {{ cents_of('sum(refining_usd)') }} as tc_rc_cents,
        {{ cents_of('sum(penalties_usd)') }} as penalties_cents,
        {{ cents_of('sum(credits_usd)') }} as credits_cents,
        {{ cents_of('sum(fob_usd)') }} as declared_fob_cents,
        is_synthetic
    from valued
    group by lot_key, is_synthetic
)

select
    lot_key,
    is_final,
    has_terms,
    port_copper_g,
    {% for told in ['payable_copper_g', 'metal_cents', 'tc_rc_cents', 'penalties_cents', 'credits_cents'] -%}
        case when has_terms then {{ told }} end as {{ told }},
    {% endfor -%}
    declared_fob_cents,
    is_synthetic
from summed
