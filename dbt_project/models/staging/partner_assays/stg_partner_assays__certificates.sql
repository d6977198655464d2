-- One row per assay certificate; a later file's certificate of the same laboratory and number supersedes it.
select
    laboratory_key,
    certificate_id,
    certificate_date,
    lot_id,
    requested_by_code,
    requester_key,
    moisture_pct,
    cu_pct,
    cu_soluble_pct,
    as_pct,
    sb_pct,
    bi_pct,
    pb_zn_pct,
    ag_g_per_dmt,
    au_g_per_dmt,
    method_code,
    {{ lineage() }},
    {{ is_current(['laboratory_key', 'certificate_id'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_assays__certificates') }}
