{#
  Which files are whole. Of the registrations in good standing in the files before (their last state over the last few
  files), a whole file lists nearly all, in every department; who is suspended may be purged by the thousand, and a
  file of the purge is still whole. Rules and reasons: seed registry_snapshot_rules. The first file has nothing before
  it and is taken as whole.

  A file is judged by what was known with the files up to its own date, so that no later file changes it: a listing
  counts whose registration was known by then (`paired_from`), and tells a state while the match was the only one
  (`ambiguous_from`).

  `files` are those to judge; `runs` all runs that reach into the files that they look back on.
#}
{% macro registry_judged(files, runs, rules) -%}
{% set rule = "(select threshold from " ~ rules ~ " where rule_code = '%s')" -%}
{% set look_back = "cast(" ~ (rule | replace('%s', 'LOOK_BACK_FILES')) ~ " as bigint)" -%}
{% set tells = 'last_told_number >= first_number' -%}
with files as (
    select * from {{ files }} as used
    where is_used
),

listed as (
    select
        registration_key,
        is_synthetic,
        greatest(first_number, paired_from) as first_number,
        coalesce(last_number, 2147483647) as last_number,
        least(coalesce(last_number, 2147483647), coalesce(ambiguous_from - 1, 2147483647)) as last_told_number,
        status_code,
        department_code
    from {{ runs }} as runs
    where paired_from <= coalesce(last_number, paired_from)
),

-- With every run, what was last told up to its end, and in which file; and the file that lists the registration next.
followed as (
    select
        is_synthetic,
        first_number,
        last_number,
        lead(first_number) over registration as next_number,
        max(case when {{ tells }} then last_told_number end) over registration as told_number,
        {% for column in ['status_code', 'department_code'] -%}
            {% set tells_it = tells ~ ' and ' ~ column ~ ' is not null' -%}
            last_value(case when {{ tells_it }} then {{ column }} end ignore nulls) over registration as {{ column }},
            max(case when {{ tells_it }} then last_told_number end) over registration as {{ column }}_number
            {{- ',' if not loop.last }}
        {% endfor %}
    from listed
    window registration as (partition by registration_key, is_synthetic order by first_number)
),

-- Until the registration is listed again, a run stands for it in the files after its first one.
expected as (
    select
        files.file_number,
        files.is_synthetic,
        case
            when files.file_number <= followed.department_code_number + {{ look_back }} then followed.department_code
        end as department_code,
        files.file_number <= followed.last_number
        or coalesce(files.file_number = followed.next_number, false) as is_found
    from files
    inner join followed
        on
            files.is_synthetic = followed.is_synthetic
            and files.file_number > followed.first_number
            and files.file_number <= coalesce(followed.next_number, files.file_number)
            and files.file_number <= followed.told_number + {{ look_back }}
            and coalesce(
                followed.status_code = 'VIGENTE' or files.file_number > followed.status_code_number + {{ look_back }}, true
            )
),

found as (
    select
        file_number,
        is_synthetic,
        department_code,
        count(*) as expected_count,
        count(*) filter (where is_found) as found_count
    from expected
    group by file_number, is_synthetic, department_code
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
