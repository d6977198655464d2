-- One row per contract; a later file's contract of the same code supersedes the earlier one.
select
    contract_id,
    contract_kind_code,
    holder_key,
    operator_key,
    reinfo_key,
    mining_right_id_ingemmet,
    signed_date,
    start_date,
    end_date,
    is_registered,
    fee_pct,
    fee_base_code,
    clause_codes,
    {{ lineage() }},
    {{ is_current(['contract_id'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_contracts__contracts') }}
