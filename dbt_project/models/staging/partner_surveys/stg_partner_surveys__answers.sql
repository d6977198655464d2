-- One row per respondent and registration of a survey; a later file's answer supersedes the earlier one.
select
    survey_id,
    party_key,
    reinfo_key,
    survey_date,
    has_consent,
    sex_code,
    language_code,
    workers_count,
    women_workers_count,
    mineral_code,
    concession_relation_code,
    is_community,
    ubigeo_code,
    {{ lineage() }},
    {{ is_current(['survey_id', 'party_key', 'reinfo_key'], month_of_source()) }} as is_current
from {{ source('raw', 'partner_surveys__answers') }}
