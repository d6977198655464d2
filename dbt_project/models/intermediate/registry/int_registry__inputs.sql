-- Everything that the registry's history is built from, each with what tells whether it is still the same: the files
-- that are used, the codes of places, and the rules (this SQL and the thresholds). Tables that append files compare it
-- with their own record of it (macros/registry/append.sql).
{% set sql = [
    registry_rows(), registry_file_contents('a'), registry_files('a'), registry_pairs('a', 'b', 'c'),
    registry_codes('a'), registry_codes('a', 'b'), registry_keyed('a', 'b', 'c', 'd'),
    registry_single('a'), registry_runs('a', 'b'), registry_judged('a', 'b', 'c'), registry_history('a', 'b'),
    registry_new_codes('a', 'b'), registry_rekeyed('a', 'b', 'c'), registry_affected('a', 'b', 'c', 'd', 'e'),
] %}
{% if execute %}
    {% for name in ['int_registry__codes', 'int_registry__runs', 'int_registry__files_judged', 'dim_registration'] %}
        {% do sql.append(graph.nodes['model.antawasi.' ~ name].raw_code) %}
    {% endfor %}
{% endif %}
select
    'rules' as input_kind,
    'all' as input_key,
    md5('{{ local_md5(sql | join) }}' || string_agg(rule_code || '=' || threshold, ',' order by rule_code))
        as input_digest
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
