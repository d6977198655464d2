{#
  Which files are whole. Of the registrations in good standing in the files before (their last state over the last few
  files), a whole file lists nearly all, in every department; who is suspended may be purged by the thousand, and a
  file of the purge is still whole. Rules and reasons: seed registry_snapshot_rules. The first file has nothing before
  it and is taken as whole. A file is judged by what the files up to its own date show: a code that a later file shows
  for an old row changes nothing about it.

  `files` are those to judge, `keyed` their rows and those of the files before them, as many as the rules look back.
#}
{% macro registry_judged(files, keyed, rules) -%}
{% set rule = "(select threshold from " ~ rules ~ " where rule_code = '%s')" -%}
with files as (
    select * from {{ files }} as used
    where is_used
),

listings as (
    select
        file_number,
        is_synthetic,
        registration_key,
        paired_from,
        ambiguous_from,
        status_code,
        department_code
    from {{ keyed }} as keyed
    where key_method <> 'natural'
),

-- Whose last state over the files before each file is good standing, or was never told.
expected as (
    select
        files.file_number,
        files.is_synthetic,
        listings.registration_key,
        max_by(listings.department_code, listings.file_number) as department_code
    from files
    inner join listings
        on
            files.is_synthetic = listings.is_synthetic
            and files.file_number > listings.file_number
            and files.file_number <= listings.file_number + {{ rule | replace('%s', 'LOOK_BACK_FILES') }}
            and files.file_number >= listings.paired_from
            and coalesce(files.file_number < listings.ambiguous_from, true)
    group by files.file_number, files.is_synthetic, listings.registration_key
    having coalesce(max_by(listings.status_code, listings.file_number) = 'VIGENTE', true)
),

found as (
    select
        expected.file_number,
        expected.is_synthetic,
        expected.department_code,
        count(*) as expected_count,
        count(listings.registration_key) as found_count
    from expected
    left join listings
        on
            expected.file_number = listings.file_number
            and expected.is_synthetic = listings.is_synthetic
            and expected.registration_key = listings.registration_key
            and listings.file_number >= listings.paired_from
    group by expected.file_number, expected.is_synthetic, expected.department_code
),

judged as (
    select
        file_number,
        is_synthetic,
        cast(sum(expected_count) as bigint) as expected_count,
        cast(sum(found_count) as bigint) as found_count,
        count(*) filter (
            expected_count >= {{ rule | replace('%s', 'DEPARTMENT_MIN_COUNT') }}
            and found_count < expected_count * {{ rule | replace('%s', 'DEPARTMENT_MIN_FRAC') }}
        ) as departments_lost
    from found
    group by file_number, is_synthetic
)

select
    files.file_number,
    files.landing_sha256,
    files.is_synthetic,
    files.layout_code,
    files.source_as_of,
    files.ingested_at,
    files.listed_count,
    judged.expected_count,
    judged.found_count,
    cast(coalesce(judged.departments_lost, 0) as bigint) as departments_lost,
    coalesce(
        judged.found_count >= judged.expected_count * {{ rule | replace('%s', 'CONTINUITY_MIN_FRAC') }}
        and judged.departments_lost = 0,
        true
    ) as is_complete,
    -- absence says something only in the layout that never shows the excluded
    files.layout_code = 'MAP' as absence_counts
from files
left join judged on files.file_number = judged.file_number and files.is_synthetic = judged.is_synthetic
{%- endmacro %}
