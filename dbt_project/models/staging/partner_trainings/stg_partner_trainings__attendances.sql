-- One row per participant of a training session; a later file's row of both supersedes the earlier one.
select
    session_id,
    participant_key,
    session_date,
    topic_code,
    provider_name,
    duration_h,
    sex_code,
    language_code,
    session_language_code,
    ubigeo_code,
    score_before,
    score_after,
    {{ lineage() }},
    {{ is_current(['session_id', 'participant_key'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_trainings__attendances') }}
