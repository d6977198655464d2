-- What became of an exported lot's value by the terms of its own declaration: one row per lot, whole grams and cents.
-- Of a line's versions the regularised one holds, where there is one; until then the provisional one, marked so. The
-- value by the terms may differ from the declared FOB by the rounding of the value per tonne.
with lines as (
    select
        lines.*,
        codes.lot_key,
        row_number() over (
            partition by lines.declaration_id, lines.line_number, lines.is_synthetic
            order by case lines.version_code when 'REGULARIZADA' then 1 else 2 end
        ) as version_rank
    from {{ ref('stg_partner_exports__lines') }} as lines
    inner join {{ ref('int_lot__codes') }} as codes
        on
            lines.exporter_key = codes.party_key
            and lines.lot_id = codes.lot_id
            and lines.is_synthetic = codes.is_synthetic
    where lines.is_current
),

payable as (
    select
        *,
        {{ payable_cu_pct('cu_pct', 'payable_pct', 'deduction_pct', 'payability_rule_code') }} as payable_cu_pct
    from lines
    where version_rank = 1
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
)

select
    lot_key,
    bool_and(version_code = 'REGULARIZADA') as is_final,
    max(shipped_date) as shipped_date,
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
