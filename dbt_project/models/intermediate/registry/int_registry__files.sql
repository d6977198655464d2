-- One row per registry file received. The same extract served again (same layout and date of the source) is stale, and
-- the newest landing stands for that date; a file is used once, in the order of the source's own dates.
with files as (
    select
        landing_sha256,
        is_synthetic,
        layout_code,
        source_as_of,
        min(ingested_at) as ingested_at,
        count(*) as listed_count,
        bool_and(is_current) as is_used
    from {{ ref('stg_reinfo__registrations') }}
    group by landing_sha256, is_synthetic, layout_code, source_as_of
),

numbered as (
    select
        landing_sha256,
        row_number() over (partition by is_synthetic order by source_as_of, layout_code) as file_number
    from files
    where is_used
)

select
    files.landing_sha256,
    files.is_synthetic,
    files.layout_code,
    files.source_as_of,
    files.ingested_at,
    files.listed_count,
    files.is_used,
    numbered.file_number,
    row_number() over (
        partition by files.is_synthetic, files.layout_code, files.source_as_of
        order by files.ingested_at, files.landing_sha256
    ) > 1 as is_stale
from files
left join numbered on files.landing_sha256 = numbered.landing_sha256 and files.is_used
