{#
  Appending files without rebuilding. Every table that appends keeps, in `registry_built_from`, what it was built from:
  the files, the codes of the places that they name, and one digest of the rules (see int_registry__inputs). It is
  written in the transaction that changes the table, so the two never disagree, wherever a build is killed. What a
  table has to take in is what the inputs have and its own record has not. If the record holds anything that the inputs
  do not hold any more (a file that came late moves the numbers of those after it, a corrected one has another digest,
  a rule or a place reads otherwise), nothing can be appended and the table is built anew.
#}
{% macro registry_record() -%}
"{{ this.database }}".intermediate.registry_built_from
{%- endmacro %}

{#
  One digest of the rules' SQL: of every macro that takes part, its relations replaced by letters, and of the models that
  append.
#}
{% macro registry_sql_digest() -%}
{% set sql = [
    registry_rows(), registry_file_contents('a'), registry_files('a'), registry_pairs('a', 'b', 'c'),
    registry_codes('a'), registry_codes('a', 'b'), registry_keyed('a', 'b', 'c', 'd'),
    registry_single('a'), registry_runs('a', 'b'), registry_judged('a', 'b', 'c'), registry_history('a', 'b'),
    registry_new_codes('a', 'b'), registry_rekeyed('a', 'b', 'c'), registry_affected('a', 'b', 'c', 'd', 'e'),
] -%}
{% if execute -%}
    {% for node in graph.nodes.values() | sort(attribute='unique_id') if node.config.get('meta', {}).get('keeps_record') -%}
        {% do sql.append(node.raw_code) -%}
    {% endfor -%}
{% endif -%}
{{ local_md5(sql | join) }}
{%- endmacro %}

{# dbt's own macro, which asks first whether a table with a record has to be built anew. #}
{% macro should_full_refresh() -%}
    {% set asked = config.get('full_refresh') %}
    {% set asked = flags.FULL_REFRESH if asked is none else asked %}
    {% if not engine_appends() %}
        {{ return(true) }}
    {% endif %}
    {% if not asked and execute and config.get('meta', {}).get('keeps_record') %}
        {{ return(registry_has_to_rebuild()) }}
    {% endif %}
    {{ return(asked) }}
{%- endmacro %}

{# Whether tables take rows in and give rows up in one transaction. Elsewhere they are built anew, and need no record. #}
{% macro engine_appends() -%}
    {{ return(adapter.dispatch('engine_appends', 'antawasi')()) }}
{%- endmacro %}

{% macro default__engine_appends() -%}{{ return(false) }}{%- endmacro %}

{% macro duckdb__engine_appends() -%}{{ return(true) }}{%- endmacro %}

{% macro registry_has_to_rebuild() -%}
    {% if not adapter.get_relation(this.database, 'intermediate', 'registry_built_from') %}
        {{ return(true) }}
    {% endif %}
    {% set found = run_query(registry_rebuild_reasons()) %}
    {{ return(found is not none and found.rows[0][0] > 0) }}
{%- endmacro %}

{# How many inputs of this table are no longer what they were; 1 if it has no record. #}
{% macro registry_rebuild_reasons() -%}
select
    count(*) filter (inputs.input_digest is null)
    + case when count(*) = 0 then 1 else 0 end
from {{ registry_record() }} as held
left join {{ ref('int_registry__inputs') }} as inputs
    on
        held.input_kind = inputs.input_kind
        and held.input_key = inputs.input_key
        and held.input_digest = inputs.input_digest
where held.table_name = '{{ this.identifier }}'
{%- endmacro %}

{# Hooks of a table that keeps a record: they run in the transaction that changes it. #}
{% macro registry_keep_record() -%}
    {{ return(adapter.dispatch('registry_keep_record', 'antawasi')()) }}
{%- endmacro %}

{% macro default__registry_keep_record() %}{% endmacro %}

{% macro duckdb__registry_keep_record() -%}
create table if not exists {{ registry_record() }} (
    table_name varchar not null,
    input_kind varchar not null,
    input_key varchar not null,
    input_digest varchar not null
);
delete from {{ registry_record() }} where table_name = '{{ this.identifier }}';
insert into {{ registry_record() }}
select '{{ this.identifier }}', input_kind, input_key, input_digest from {{ ref('int_registry__inputs') }}
{%- endmacro %}

{# Files that are used and that this table has not taken in yet. #}
{% macro registry_new_files() -%}
(
    select files.*
    from {{ ref('int_registry__files') }} as files
    where
        files.is_used
        and not exists (
            select 1 from {{ registry_record() }} as held
            where
                held.table_name = '{{ this.identifier }}'
                and held.input_kind = 'file'
                and held.input_key = {{ registry_file_key('files') }}
        )
)
{%- endmacro %}

{% macro registry_file_key(alias) -%}
concat_ws('|', {{ alias }}.is_synthetic, {{ alias }}.file_number)
{%- endmacro %}

{# Codes that the new files show first, each with the key that a row without it had (registry_natural_key). #}
{% macro registry_new_codes(new_files, codes) -%}
(
    select
        codes.*,
        {{ registry_natural_key('codes.party_key', 'codes.right_code', 'codes.code_number') }} as natural_key
    from {{ codes }} as codes
    inner join {{ new_files }} as new_files
        on codes.is_synthetic = new_files.is_synthetic and codes.file_number = new_files.file_number
)
{%- endmacro %}

{#
  Registrations that rows of old files are matched to otherwise now, because a new file shows a code for their party and
  right: rows that had none have it, and where it is the second one the match to the first is a convention from now on.
  `held` are rows of the table that appends, with the keys that they had.
#}
{% macro registry_rekeyed(new_files, held, codes) -%}
with new_codes as {{ registry_new_codes(new_files, codes) }}

select
    new_codes.reinfo_key as registration_key,
    new_codes.is_synthetic
from new_codes
inner join {{ held }} as held
    on
        new_codes.natural_key = held.registration_key
        and new_codes.is_synthetic = held.is_synthetic
        and held.key_method = 'natural'
union
select
    codes.reinfo_key as registration_key,
    codes.is_synthetic
from new_codes
inner join {{ codes }} as codes
    on
        new_codes.code_number = 2
        and codes.code_number = 1
        and new_codes.party_key = codes.party_key
        and new_codes.right_code = codes.right_code
        and new_codes.is_synthetic = codes.is_synthetic
inner join {{ held }} as held
    on
        codes.reinfo_key = held.registration_key
        and codes.is_synthetic = held.is_synthetic
        and held.key_method = 'matched'
{%- endmacro %}

{#
  Registrations whose history the new files may change: listed otherwise than their newest interval says or not known
  yet, missed by a whole file in which absence says something, or keyed otherwise (registry_rekeyed).
  `listings` are the rows of the new files, `history` is the table that appends.
#}
{% macro registry_affected(new_files, listings, history, files, codes) -%}
with newest as (
    select * from {{ history }} as history
    where is_current
)

select
    listings.registration_key,
    listings.is_synthetic
from {{ listings }} as listings
left join newest
    on listings.registration_key = newest.registration_key and listings.is_synthetic = newest.is_synthetic
where
    newest.registration_key is null
    or not newest.is_listed
    {% for column in registry_state_columns() -%}
        or coalesce(listings.{{ column }} <> coalesce(newest.{{ column }}, ''), false)
    {% endfor %}
union
select
    newest.registration_key,
    newest.is_synthetic
from newest
inner join {{ new_files }} as new_files on newest.is_synthetic = new_files.is_synthetic
inner join {{ files }} as judged
    on
        new_files.is_synthetic = judged.is_synthetic
        and new_files.file_number = judged.file_number
        and judged.is_complete
        and judged.absence_counts
left join {{ listings }} as listings
    on
        newest.registration_key = listings.registration_key
        and newest.is_synthetic = listings.is_synthetic
        and new_files.file_number = listings.file_number
where
    listings.registration_key is null
    and newest.is_listed
    and newest.key_method <> 'natural'
    and coalesce(newest.status_code <> 'EXCLUIDO', true)
union
select * from ({{ registry_rekeyed(new_files, history, codes) }}) as rekeyed
{%- endmacro %}

{# Hook: what was read of files that the lake no longer holds. #}
{% macro registry_forget_files() -%}
    {{ return(adapter.dispatch('registry_forget_files', 'antawasi')()) }}
{%- endmacro %}

{% macro default__registry_forget_files() %}{% endmacro %}

{% macro duckdb__registry_forget_files() -%}
delete from {{ this }} where landing_sha256 not in (
    select landing_sha256 from {{ source('raw', 'lake_files') }} where table_name = 'reinfo__registrations'
)
{%- endmacro %}

{# Hook: keys of rows without a code for whose party and right a new file shows one: the rows have that code now. #}
{% macro registry_forget_natural() -%}
    {{ return(adapter.dispatch('registry_forget_natural', 'antawasi')()) }}
{%- endmacro %}

{% macro default__registry_forget_natural() %}{% endmacro %}

{% macro duckdb__registry_forget_natural() -%}
{% if is_incremental() -%}
delete from {{ this }}
where key_method = 'natural' and (registration_key, is_synthetic) in (
    select
        natural_key,
        is_synthetic
    from {{ registry_new_codes(registry_new_files(), ref('int_registry__codes')) }} as new_codes
)
{%- endif %}
{%- endmacro %}
