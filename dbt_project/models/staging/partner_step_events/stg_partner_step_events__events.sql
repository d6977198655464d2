-- One row per event of formalization; a later file's event of the same code supersedes the earlier one.
select
    event_id,
    party_key,
    reinfo_key,
    mining_right_id_ingemmet,
    ubigeo_code,
    step_code,
    event_date,
    date_precision_code,
    outcome_code,
    authority_code,
    evidence_id,
    semester,
    declared_mineral_code,
    declared_t,
    {{ lineage() }},
    {{ is_current(['event_id'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_step_events__events') }}
