-- One row per grievance; a later file's case of the same code supersedes the earlier one, as cases move on.
select
    case_id,
    opened_date,
    channel_code,
    case_type_code,
    complainant_key,
    sex_code,
    language_code,
    respondent_key,
    ubigeo_code,
    status_code,
    acknowledged_date,
    closed_date,
    outcome_code,
    is_remedy_delivered,
    is_retaliation_reported,
    satisfaction_score,
    {{ lineage() }},
    {{ is_current(['case_id'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_grievances__cases') }}
