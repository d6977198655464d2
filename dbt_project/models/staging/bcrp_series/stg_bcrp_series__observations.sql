-- Every answer of the central bank; `is_current` marks the newest answer for each series and period.
select
    series_code,
    frequency_code,
    period_date,
    value,
    {{ lineage() }},
    {{ is_current(['series_code', 'period_date']) }} as is_current
from {{ source('raw', 'bcrp_series__observations') }}
