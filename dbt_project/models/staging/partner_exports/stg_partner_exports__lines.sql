-- One row per line and version of an export declaration; a later file's line supersedes it, a version never another.
select
    declaration_id,
    version_code,
    line_number,
    declaration_date,
    shipped_date,
    exporter_key,
    hs_code,
    product_form_code,
    lot_id,
    net_wmt,
    moisture_pct,
    net_dmt,
    cu_pct,
    fob_usd,
    destination_country_code,
    customs_office_code,
    {{ lineage() }},
    {{ is_current(['declaration_id', 'version_code', 'line_number'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_exports__lines') }}
