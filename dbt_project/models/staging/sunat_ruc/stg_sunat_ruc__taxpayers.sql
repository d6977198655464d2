-- Taxpayers that other sources mention; a newer roll replaces the older one as a whole.
select
    party_key,
    party_kind,
    party_name,
    taxpayer_status,
    domicile_condition,
    ubigeo_code,
    name_is_truncated,
    has_mojibake,
    {{ lineage() }},
    {{ is_current(['party_kind']) }} as is_current
from {{ source('raw', 'sunat_ruc__taxpayers') }}
