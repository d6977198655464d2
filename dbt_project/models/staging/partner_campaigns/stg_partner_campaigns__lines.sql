-- One row per line of a plant's campaign; a later file's line of the same number supersedes the earlier one.
select
    plant_key,
    campaign_id,
    line_number,
    contract_kind_code,
    owner_key,
    started_date,
    ended_date,
    line_kind_code,
    lot_id,
    product_form_code,
    mass_dmt,
    cu_pct,
    copper_kg,
    toll_usd_per_dmt,
    invoice_key,
    {{ lineage() }},
    {{ is_current(['plant_key', 'campaign_id', 'line_number'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_campaigns__lines') }}
