-- The registry's files by month of the source's own date: whole, partial, served again (stale), or missing.
with files as (
    select
        cast(date_trunc('month', source_as_of) as date) as month,
        is_synthetic,
        layout_code,
        source_as_of,
        listed_count,
        expected_count,
        found_count,
        departments_lost,
        case when is_complete then 'COMPLETE' else 'PARTIAL' end as snapshot_kind
    from {{ ref('int_registry__files_judged') }}
),

served as (
    select
        source_as_of,
        layout_code,
        is_synthetic,
        count(*) as file_count
    from {{ ref('int_registry__files') }}
    group by source_as_of, layout_code, is_synthetic
),

months as (
    select
        is_synthetic,
        {{ months_from('min(month)', 'max(month)') }} as month
    from files
    group by is_synthetic
)

select
    months.month,
    coalesce(files.layout_code, 'NONE') as layout_code,
    files.source_as_of,
    coalesce(files.snapshot_kind, 'MISSING') as snapshot_kind,
    coalesce(served.file_count, 0) as file_count,
    coalesce(served.file_count, 0) > 1 as was_served_again,
    files.listed_count,
    files.expected_count,
    files.found_count,
    files.departments_lost,
    months.is_synthetic
from months
left join files on months.month = files.month and months.is_synthetic = files.is_synthetic
left join served
    on
        files.source_as_of = served.source_as_of
        and files.layout_code = served.layout_code
        and files.is_synthetic = served.is_synthetic
order by months.is_synthetic, months.month, files.source_as_of
