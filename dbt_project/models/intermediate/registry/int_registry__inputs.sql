-- Everything that the registry's history is built from, each with what tells whether it is still the same: the files
-- that are used, the codes of places, and the rules (this SQL and the thresholds). Tables that append files compare it
-- with their own record of it (macros/registry/append.sql).
select
    'rules' as input_kind,
    'all' as input_key,
    md5(
        '{{ registry_sql_digest() }}'
        || string_agg(rule_code || '=' || threshold, ',' order by rule_code)
    ) as input_digest
from {{ ref('registry_snapshot_rules') }}

union all

select
    'place' as input_kind,
    concat_ws(
        '|', coalesce(department_name, '?'), coalesce(province_name, '?'), coalesce(district_name, '?')
    ) as input_key,
    concat_ws('|', coalesce(ubigeo_code, '?'), coalesce(department_code, '?')) as input_digest
from {{ ref('int_places__names_matched') }}

union all

select
    'file' as input_kind,
    {{ registry_file_key('files') }} as input_key,
    concat_ws('|', landing_sha256, layout_code, source_as_of, ingested_at, fingerprint) as input_digest
from {{ ref('int_registry__files') }} as files
where is_used
