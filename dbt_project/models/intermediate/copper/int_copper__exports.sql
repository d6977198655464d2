-- Copper of every lot that a declaration of export holds, on however many lines; lines that name no lot stay apart. The
-- bounds are the grades of all versions and certificates.
with lines as (
    select
        *,
        coalesce(lot_key, concat(declaration_id, '-', version_code, '-', line_number)) as batch_lot_key
    from {{ ref('int_export__lines') }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by declaration_id, batch_lot_key, version_code, is_synthetic order by line_number
        ) as nth
    from lines
),

versions as (
    select
        declaration_id,
        batch_lot_key as lot_key,
        version_code,
        is_held,
        min(exporter_key) as exporter_key,
        min(shipped_date) as shipped_date,
        sum(net_wmt) as net_wmt,
        sum(net_dmt) as net_dmt,
        sum({{ wide('net_dmt') }} * cu_pct) as copper_pct_t,
        cast(sum({{ wide('net_dmt') }} * cu_pct) / nullif(sum(net_dmt), 0) as decimal(8, 4)) as cu_pct,
        max(case when nth = 1 then landing_sha256 end) as landing_sha256,
        max(case when nth = 1 then row_number end) as row_number,
        is_synthetic
    from numbered
    group by declaration_id, batch_lot_key, version_code, is_held, is_synthetic
),

declared as (
    select
        *,
        min(cu_pct) over declaration as least_cu_pct,
        max(cu_pct) over declaration as most_cu_pct
    from versions
    window declaration as (partition by declaration_id, lot_key, is_synthetic)
)

select
    declared.declaration_id,
    declared.lot_key,
    declared.exporter_key,
    declared.shipped_date,
    declared.version_code,
    cast(declared.net_wmt as decimal(18, 6)) as net_wmt,
    cast(declared.net_dmt as decimal(18, 6)) as net_dmt,
    cast(
        declared.net_dmt * least(declared.least_cu_pct, grades.cu_low_pct) / 100 as decimal(24, 9)
    ) as copper_low_t,
    cast(declared.copper_pct_t / 100 as decimal(24, 9)) as copper_t,
    cast(
        declared.net_dmt * greatest(declared.most_cu_pct, grades.cu_high_pct) / 100 as decimal(24, 9)
    ) as copper_high_t,
    declared.is_synthetic,
    declared.landing_sha256,
    declared.row_number
from declared
left join {{ ref('int_copper__lot_grades') }} as grades
    on declared.lot_key = grades.lot_key and declared.is_synthetic = grades.is_synthetic
where declared.is_held
