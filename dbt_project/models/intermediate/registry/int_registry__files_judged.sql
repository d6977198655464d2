-- Which files are whole. Of the registrations in good standing in the files before (their last state over the last few
-- files), a whole file lists nearly all, in every department; who is suspended may be purged by the thousand, and a
-- file of the purge is still whole. Rules and reasons: seed registry_snapshot_rules. The first file has nothing before
-- it and is taken as whole.
{% set rule = "(select threshold from " ~ ref('registry_snapshot_rules') ~ " where rule_code = '%s')" %}
with files as (
    select * from {{ ref('int_registry__files') }}
    where is_used
),

listings as (
    select * from {{ ref('int_registry__listings_keyed') }}
),

-- The last state of every registration over the files before each file.
before as (
    select
        files.file_number,
        files.is_synthetic,
        listings.registration_key,
        max_by(listings.status_code, listings.file_number) as status_code,
        max_by(listings.department_code, listings.file_number) as department_code,
        bool_or(listings.status_code is not null) as has_status
    from files
    inner join listings
        on
            files.is_synthetic = listings.is_synthetic
            and files.file_number > listings.file_number
            and files.file_number <= listings.file_number + {{ rule | replace('%s', 'LOOK_BACK_FILES') }}
            and listings.key_method in ('code', 'matched')
    group by files.file_number, files.is_synthetic, listings.registration_key
),

expected as (
    select * from before where status_code = 'VIGENTE' or not has_status
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
