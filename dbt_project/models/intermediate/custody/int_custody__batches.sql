-- Batches whose custody is told, by lot: every declaration of export with the product lots that it holds, and what
-- every plant fed to the campaigns that ended in a month. Copper in whole grams: of an export the ledger's or, where it
-- has none, the declared; of a feed the plant's own. made_copper_g is what a plant's own line says that it made of an
-- export, and nothing else.
with exports as (
    select
        exports.declaration_id,
        exports.exporter_key,
        exports.shipped_date,
        exports.lot_key,
        nullif(lots.copper_g, 0) as lot_copper_g,
        case when lots.mass_evidence_code = 'MADE' then nullif(lots.copper_g, 0) end as lot_made_g,
        cast(exports.copper_t * 1000000 as bigint) as declared_copper_g,
        exports.is_synthetic
    from {{ ref('int_copper__exports') }} as exports
    left join {{ ref('dim_lot') }} as lots
        on exports.lot_key = lots.lot_key and exports.is_synthetic = lots.is_synthetic
)

select
    'EXPORT' as scope_code,
    declaration_id as batch_key,
    exporter_key as party_key,
    date_trunc('month', shipped_date) as month,
    lot_key,
    -- a lot that went out in parts is divided by what was declared of it
    coalesce(
        {{ grams_by_weight('lot_copper_g', 'declared_copper_g', ['lot_key', 'is_synthetic'], ['declaration_id']) }},
        declared_copper_g
    ) as copper_g,
    {{ grams_by_weight('lot_made_g', 'declared_copper_g', ['lot_key', 'is_synthetic'], ['declaration_id']) }}
        as made_copper_g,
    declared_copper_g,
    is_synthetic
from exports

union all

select
    'PLANT_MONTH' as scope_code,
    lines.plant_key || '|' || substr(cast(max(lines.ended_date) as varchar), 1, 7) as batch_key,
    lines.plant_key as party_key,
    date_trunc('month', lines.ended_date) as month,
    coalesce(codes.lot_key, lines.lot_id) as lot_key,
    cast(sum(lines.copper_kg) * 1000 as bigint) as copper_g,
    null as made_copper_g,
    null as declared_copper_g,
    lines.is_synthetic
from {{ ref('stg_partner_campaigns__lines') }} as lines
left join {{ ref('int_lot__codes') }} as codes
    on
        lines.plant_key = codes.party_key
        and lines.lot_id = codes.lot_id
        and lines.is_synthetic = codes.is_synthetic
where lines.is_current and lines.line_kind_code = 'ALIMENTACION' and lines.contract_kind_code <> 'MEZCLA'
group by
    lines.plant_key, date_trunc('month', lines.ended_date), coalesce(codes.lot_key, lines.lot_id), lines.is_synthetic
