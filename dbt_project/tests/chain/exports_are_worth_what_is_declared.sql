-- The FOB of exported lots is that of all lines of the versions that hold, and it is what their observed exports are
-- compared with: a value by the declaration is the declared one, and by vouchers it differs by what is told.
with regularised as (
    select distinct
        declaration_id,
        is_synthetic
    from {{ ref('stg_partner_exports__lines') }}
    where is_current and version_code = 'REGULARIZADA'
),

declared as (
    select
        sum(lines.fob_usd) as fob_usd,
        lines.is_synthetic
    from {{ ref('stg_partner_exports__lines') }} as lines
    left join regularised
        on lines.declaration_id = regularised.declaration_id and lines.is_synthetic = regularised.is_synthetic
    where
        lines.is_current
        and lines.lot_id is not null
        and (lines.version_code = 'REGULARIZADA' or regularised.declaration_id is null)
    group by lines.is_synthetic
),

valued as (
    select
        sum(declared_fob_cents) * 0.01 as fob_usd,
        is_synthetic
    from {{ ref('int_export__lots_valued') }}
    group by is_synthetic
)

select
    'all lots' as lot_key,
    declared.fob_usd as declared_usd,
    valued.fob_usd as value_usd
from declared
full join valued on declared.is_synthetic = valued.is_synthetic
where declared.fob_usd is distinct from valued.fob_usd

union all

select
    valued.lot_key,
    valued.declared_fob_cents * 0.01 as declared_usd,
    exports.value_usd
from {{ ref('int_export__lots_valued') }} as valued
inner join {{ ref('int_transfer__observed') }} as exports
    on
        valued.lot_key = exports.lot_key
        and exports.kind_code = 'EXPORT'
        and valued.is_synthetic = exports.is_synthetic
where
    exports.sheet_value_usd is distinct from valued.declared_fob_cents * 0.01
    or (
        exports.value_usd - coalesce(exports.difference_usd, 0) <> valued.declared_fob_cents * 0.01
        and (exports.value_evidence_code = 'SHEET' or exports.difference_usd is not null)
    )
