{#
  The registry's rules from the rows of its files to the history of every registration, each written once. A macro takes
  the names of the relations that it reads (or subqueries in parentheses), so that the models, the append of new files,
  and `registry_known_on` run the same SQL over all files, over some of them, or over those known on a day:

    rows -> registry_file_contents -> registry_files -> registry_codes -> registry_keyed -> registry_runs
    -> registry_judged -> registry_history
#}

{# Rows of the registry's files as the lake holds them; without `is_current`, which looks at all files for each of them. #}
{% macro registry_rows() -%}
(
    select
        layout_code,
        party_key,
        reinfo_key,
        mining_right_id_ingemmet,
        is_free_area,
        department_name,
        province_name,
        district_name,
        department_code,
        activity_code,
        status_code,
        inscription_year,
        {{ lineage() }}
    from {{ source('raw', 'reinfo__registrations') }}
)
{%- endmacro %}

{# What a file is, by its own rows alone: one row per landing file. #}
{% macro registry_file_contents(rows) -%}
select
    landing_sha256,
    is_synthetic,
    layout_code,
    source_as_of,
    min(ingested_at) as ingested_at,
    count(*) as listed_count,
    count(*) - count(reinfo_key) as uncoded_count,
    -- by their hashes, which is faster: two codes of one hash would send the file the longer way to the same result
    count(reinfo_key) - count(distinct hash(reinfo_key)) as repeated_count
from {{ rows }} as listed
group by landing_sha256, is_synthetic, layout_code, source_as_of
{%- endmacro %}

{#
  One row per file received. The same extract served again (same layout and date of the source) is stale, and the newest
  landing stands for that date; a file is used once, in the order of the source's own dates.
#}
{% macro registry_files(contents) -%}
select
    *,
    case when is_used then row_number() over (
        partition by is_synthetic, is_used order by source_as_of, layout_code
    ) end as file_number
from (
    select
        *,
        row_number() over (
            partition by is_synthetic, layout_code, source_as_of order by ingested_at desc, landing_sha256
        ) = 1 as is_used,
        row_number() over (
            partition by is_synthetic, layout_code, source_as_of order by ingested_at, landing_sha256
        ) > 1 as is_stale
    from {{ contents }} as received
) as ranked
{%- endmacro %}

{# What a registration stands on: a mining right, or a place of the free area. #}
{% macro registry_right(alias) -%}
coalesce({{ alias }}.mining_right_id_ingemmet, 'AREA LIBRE|' || {{ alias }}.place_code)
{%- endmacro %}

{# Key of the nth registration of a party on a right, for as long as no map file shows a code for it. #}
{% macro registry_natural_key(party, right, nth) -%}
md5(md5({{ party }} || '|' || {{ right }}) || '|' || {{ nth }})
{%- endmacro %}

{# Rows of the files that are used, with their file and their place; `which` narrows the files. #}
{% macro registry_listed(rows, files, places, which) -%}
select
    files.file_number,
    files.is_synthetic,
    listed.reinfo_key,
    listed.party_key,
    listed.mining_right_id_ingemmet,
    listed.is_free_area,
    coalesce(places.ubigeo_code, listed.department_name) as place_code,
    coalesce(places.department_code, listed.department_code) as department_code,
    listed.activity_code,
    listed.status_code,
    listed.inscription_year,
    files.layout_code,
    files.source_as_of,
    files.ingested_at,
    files.landing_sha256,
    listed.row_number
from {{ rows }} as listed
-- by the date too: Parquet has it in its statistics, so that files that are not asked for stay unread
inner join {{ files }} as files
    on
        listed.landing_sha256 = files.landing_sha256
        and listed.source_as_of = files.source_as_of
        and files.is_used
        and {{ which }}
left join {{ places }} as places
    on
        listed.department_name is not distinct from places.department_name
        and listed.province_name is not distinct from places.province_name
        and listed.district_name is not distinct from places.district_name
{%- endmacro %}

{# The codes that the files show for a party on a right, each with the first file that shows it. #}
{% macro registry_pairs(rows, files, places) -%}
select
    party_key,
    {{ registry_right('listed') }} as right_code,
    is_synthetic,
    reinfo_key,
    min(file_number) as file_number
from ({{ registry_listed(rows, files, places, 'files.uncoded_count < files.listed_count') }}) as listed
where reinfo_key is not null
group by party_key, right_code, is_synthetic, reinfo_key
{%- endmacro %}

{#
  The codes numbered for each party and right, in the order in which files show them first: a code that a later file
  shows takes the next number and moves no other. `held` are codes that are numbered already.
#}
{% macro registry_codes(pairs, held=none) -%}
{% if held -%}
with new_pairs as (
    select pairs.* from {{ pairs }} as pairs
    where not exists (
        select 1 from {{ held }} as held
        where
            pairs.party_key = held.party_key
            and pairs.right_code = held.right_code
            and pairs.is_synthetic = held.is_synthetic
            and pairs.reinfo_key = held.reinfo_key
    )
),

counts as (
    select
        held.party_key,
        held.right_code,
        held.is_synthetic,
        count(*) as code_count
    from {{ held }} as held
    where (held.party_key, held.right_code, held.is_synthetic) in (
        select (party_key, right_code, is_synthetic) from new_pairs
    )
    group by held.party_key, held.right_code, held.is_synthetic
)

{% endif -%}
select
    pairs.party_key,
    pairs.right_code,
    pairs.is_synthetic,
    pairs.reinfo_key,
    pairs.file_number,
    row_number() over (
        partition by pairs.party_key, pairs.right_code, pairs.is_synthetic order by pairs.file_number, pairs.reinfo_key
    ) {% if held -%} + coalesce(counts.code_count, 0) {% endif -%} as code_number
{% if held -%}
from new_pairs as pairs
left join counts
    on
        pairs.party_key = counts.party_key
        and pairs.right_code = counts.right_code
        and pairs.is_synthetic = counts.is_synthetic
{%- else -%}
from {{ pairs }} as pairs
{%- endif %}
{%- endmacro %}
