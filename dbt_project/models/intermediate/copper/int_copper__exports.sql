-- Copper of every lot that was declared for export, by the newest version of its declaration; the bounds are the grades
-- of all its versions and certificates.
with declared as (
    select
        lines.declaration_id,
        lines.lot_id,
        lines.shipped_date,
        lines.exporter_key,
        lines.version_code,
        lines.net_wmt,
        lines.net_dmt,
        lines.cu_pct,
        coalesce(codes.lot_key, lines.lot_id) as lot_key,
        min(lines.cu_pct) over declaration as least_cu_pct,
        max(lines.cu_pct) over declaration as most_cu_pct,
        row_number() over (
            partition by lines.declaration_id, lines.lot_id, lines.is_synthetic
            order by case lines.version_code when 'REGULARIZADA' then 1 else 2 end, lines.declaration_date desc
        ) as nth,
        lines.is_synthetic,
        lines.landing_sha256,
        lines.row_number
    from {{ ref('stg_partner_exports__lines') }} as lines
    left join {{ ref('int_lot__codes') }} as codes
        on
            lines.exporter_key = codes.party_key
            and lines.lot_id = codes.lot_id
            and lines.is_synthetic = codes.is_synthetic
    where lines.is_current
    window declaration as (partition by lines.declaration_id, lines.lot_id, lines.is_synthetic)
)

select
    declared.declaration_id,
    declared.lot_key,
    declared.exporter_key,
    declared.shipped_date,
    declared.version_code,
    declared.net_wmt,
    declared.net_dmt,
    cast(
        declared.net_dmt * least(declared.least_cu_pct, grades.cu_low_pct) / 100 as decimal(24, 9)
    ) as copper_low_t,
    cast(declared.net_dmt * declared.cu_pct / 100 as decimal(24, 9)) as copper_t,
    cast(
        declared.net_dmt * greatest(declared.most_cu_pct, grades.cu_high_pct) / 100 as decimal(24, 9)
    ) as copper_high_t,
    declared.is_synthetic,
    declared.landing_sha256,
    declared.row_number
from declared
left join {{ ref('int_copper__lot_grades') }} as grades
    on declared.lot_key = grades.lot_key and declared.is_synthetic = grades.is_synthetic
where declared.nth = 1
